// Command bench measures gsyncd-host against rsync on the same trees and prints
// one table of ratios.
//
// A figure is worth something only as a ratio taken in one go: absolute times
// on small machines drift by a factor. So both programs run in turn on the same
// source (A B A B), each into a filesystem of its own, a fresh sparse ext4
// image on a loop device, and the table shows the median of the rounds' ratios.
// The clock runs until `sync -f` has returned: gsyncd-host is durable when it
// ends, and rsync is only then. A time counts once the trees are found equal.
//
// Bytes written are those that the loop device of the secondary saw, bookkeeping
// included. Memory is the sum of the proportional set sizes (PSS) of all
// processes of the run, sampled, so that shared pages count once.
//
// Through ssh both programs reach their secondary by an OpenSSH server with keys
// of its own on the loopback interface; a relay before it adds latency. Round
// trips in a row are what 100 ms of it add to a run, divided by 100 ms.
//
// It needs root, for the mounts. They live in a mount namespace of their own and
// the image files are unlinked once mounted: nothing stays behind, even after a
// SIGKILL.
package main
