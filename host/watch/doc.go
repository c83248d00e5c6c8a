// Package watch tells when and where to look at a primary that is a directory of
// this machine, by the events that the kernel gives out.
//
// Events are haste, not truth. They say in which directory something happened;
// what it was, the marker finds by listing that directory. What raises no event,
// a store through a shared mapping or a loop device's write to its file, is left to
// sweeps.
//
// # Why the order is enough
//
// The kernel queues an event before the system call that changed something
// returns, and after the change can be seen. So once the tree is marked, a
// change is seen by the pass that comes after, or raises an event that is read
// after. A [Detector] therefore listens before the first pass, and that one is
// through the whole tree, or begins from a point. Nothing needs to be written to the
// primary to know that all earlier events were read.
//
// A directory that the index does not have is passed over: an event of the
// directory that it was made in, or moved into, leads the marker there, and it
// lists what it does not know. Its list, not a handle's or a path's, is also what
// tells the tree from the rest of the filesystem.
//
// # Several filesystems
//
// A tree may go on in what is mounted in it. The table of mounts tells where, when it
// changes and after each look, since a mount that moves with a directory above it
// changes nothing that can be waited for. A look at everything follows whatever
// begins to be heard of. Nothing stays open on a mount, or nobody could unmount it.
//
// # Points
//
// A btrfs can be asked for all inodes that were written after a transaction: see
// changes. So what happened up to one that was committed before is told of, whoever
// listened. A [marker.Point] is such a transaction. It is taken right before a
// pass, with all that was written on disk: no listing before that can have shown what
// the point does not cover.
//
// # Words
//
//   - ear: a queue of the kernel's events, fanotify's or inotify's
//   - deaf: of a detector whose ear failed; the chooser has another one take over, or
//     asks for looks at everything
//   - place: a directory of the tree at which a filesystem is mounted, in which the
//     tree goes on
//   - whole: a directory by which the kernel marks all of a filesystem
//   - history: what a filesystem knows of its own past
//   - silent: of a detector that has a history and no events
//   - told: of a directory, in which something happened since the last hint
package watch
