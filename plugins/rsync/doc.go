// Package rsync is the transfer method that drives the system's rsync.
//
// rsync is the reference for deltas and nothing else is asked of it here: the
// host has decided what is to be sent, sets all attributes itself, and puts the
// result in place. So rsync never sees either tree. It reads from a farm, a
// private directory of symlinks to /proc/PID/fd/N, behind which are the source
// files that this package opened and looked at; whatever is put under a file's
// name afterwards, rsync reads what was opened. It writes plain numeric names
// into the job's own directory on the target, reached through a descriptor too.
//
// Nothing is believed because rsync said so: it ends with 0 on torn copies. A
// file is done when its source is the same before and after, and the finished
// name is there with the right size.
package rsync
