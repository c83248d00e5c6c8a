// Package localfs reaches the files below one directory of this machine, and
// nothing else. It is the only place of the program that resolves a path of a
// mirrored tree.
//
// A [Root] is that directory. A [Dir] is a directory below it, held open: all
// that is done to an entry is done by the directory and one name, or by an open
// file, so that nobody who swaps a directory for a symbolic link can lead a
// call out of the root. No call follows a symbolic link, waits for a fifo or
// device, or resolves ".." of a path.
//
// A root opened by [OpenWritable] gives itself access to directories of its own
// user that deny it (mode 0555 and the like, which a privileged user never
// notices): it adds u+rwx for as long as a Dir needs it and then puts the mode
// back. One opened by [Open] changes nothing by itself.
//
// Roots may be used concurrently. A Dir too, but for ReadNames and Close. Errors
// are *sdk.Error with the path below the root. The package needs Linux 5.8, and
// /proc for the extended attributes of what cannot be opened.
package localfs
