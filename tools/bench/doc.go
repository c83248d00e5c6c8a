// Command bench measures gsyncd-host against rsync on the same trees and prints
// a table of ratios.
//
// A figure is worth something only as a ratio taken in one go: absolute times
// on small machines drift by a factor. So both programs run in turn on the same
// source (A B A B), each into a filesystem of its own, a fresh sparse image on a
// loop device, and the table shows the median of the rounds' ratios. The clock runs until `sync -f` has returned: gsyncd-host is durable when it
// ends, and rsync is only then. A time counts once the trees are found equal.
//
// Bytes written are those that the loop device of the secondary saw, bookkeeping
// included. Memory is the sum of the proportional set sizes (PSS) of all
// processes of the run, sampled, so that shared pages count once.
//
// These cases measure a program that goes on mirroring. Its detector, which
// -detector chooses, is read from the mirror's status and named in the table.
//
//   - live: a wide tree, on each filesystem of -fs. Changes in many directories,
//     until all of them are there, against a fresh rsync; a new file until it is
//     there; a minute at rest, with the processor time and memory of all processes
//     together; a restart after some changes, against a walk of the tree with find.
//     On ext4 a column shows lsyncd, if that is installed. live-ssh is the same
//     through ssh.
//   - growth: the same for trees of three sizes, side by side.
//   - writers: what it costs the writer of many small files that the tree is
//     mirrored, by each detector that there is, against one that nobody watches. The
//     wall clock also shows that mirroring takes processors and disks at the same
//     time, more so on small machines; the writer's own processor time shows what
//     the kernel's events cost.
//
// Through ssh both programs reach their secondary by an OpenSSH server with keys
// of its own on the loopback interface; a relay before it adds latency. Round
// trips in a row are what 100 ms of it add to a run, divided by 100 ms.
//
// It needs root, for the mounts. They live in a mount namespace of their own and
// the image files are unlinked once mounted: nothing stays behind, even after a
// SIGKILL.
package main
