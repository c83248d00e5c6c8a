// Package gluster is the driver of "gluster" URLs: a Gluster volume, as either
// side of a mirror.
//
// # The mounts
//
// A volume is mounted twice for each open resource, by glusterfs processes of
// its own, in private directories. They stay as long as the resource is open and
// end with this process, also if that is killed; what a crash leaves is removed by
// the next open.
//
// One is what Gluster calls an auxiliary mount (--client-pid=-1). It alone reads
// native xtimes and volume marks, and what it does is not marked: marks are set
// through it. It takes extended attributes of few names, and says yes to all
// others without keeping them, so marks are in the space "user.". The bricks
// serve such clients with one thread and last of all.
//
// All else goes through the other (--no-root-squash), which keeps every
// attribute and may write to a volume that is read-only for others. What it does is
// marked, where a secondary has an index.
//
// On a primary nothing is read that is older than the directory's native xtime:
// the caches of the mount are off where a listing does not renew them.
//
// An extended attribute that is set does not move a change time, as other mounts
// see it, but it moves the native xtime: see sdk.FieldEntryNative.
//
// # What is there
//
// While a brick is gone a distributed volume lists directories without the
// files of that brick, and says nothing. So the state of all bricks is looked at
// before and after each listing, with a counter that tells if one came back in
// between, and a listing of which a part was not there is incomplete. The native
// xtime is read as well, before a listing that something may be removed by and
// after each. Ahead of that the volume mark is asked for: without it a mount does not
// know which attribute is the volume's own, and then answers from one brick,
// whatever the others have.
//
// # Durability
//
// Neither syncfs nor fsync of a directory reaches a brick. A file's data is made
// durable by fsync before it is renamed into place. Sync writes to one file
// without a name on each subvolume of the distribution, and fsyncs it: the
// journals of ext4 and XFS keep their order, so all entries and attributes that
// were changed there before are then on the disk too. On bricks with another
// filesystem entries are as durable as that makes them.
//
// # The lock
//
// A secondary is held by a lock on a file of its root, which the bricks keep:
// it holds between machines, and vanishes with the mount that took it.
package gluster
