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
// always through the whole tree. Nothing needs to be written to the primary to
// know that all earlier events were read.
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
// # Words
//
//   - ear: a queue of the kernel's events, fanotify's or inotify's
//   - deaf: of a detector whose ear failed; it asks for looks at everything then
//   - place: a directory of the tree at which a filesystem is mounted, in which the
//     tree goes on
//   - whole: a directory by which the kernel marks all of a filesystem
//   - told: of a directory, in which something happened since the last hint
package watch
