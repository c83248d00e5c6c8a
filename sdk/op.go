package sdk

import (
	"fmt"
	"strings"
)

// OpKind says what an Op does.
type OpKind uint8

// The operations on a target. None follows a symlink, and those that make an
// entry over one that is not a directory replace it in one step: the old entry
// is seen until the new one is. A directory in the way is an error of
// KindChanged; the host removes it first where it wants that.
const (
	OpMkdir         OpKind = iota + 1 // make directory Path, mode 0700 until its Meta is set; no error if it is a directory already
	OpSymlink                         // make Path a symlink to Target, with Meta
	OpMknod                           // make Path a fifo, socket or device of Type, with Meta
	OpLink                            // make Path a hard link to the object at From
	OpRename                          // move From to Path
	OpRemove                          // remove Path, which is not a directory; no error if it is gone
	OpRemoveTree                      // remove Path and all below it; no error if it is gone
	OpSetMeta                         // set Path's Meta
	OpSetMark                         // set directory Path's mark to Mark; an empty Mark removes it. With HasNative, Native is kept beside it, and a zero one removed
	OpSetVolumeMark                   // renew VolumeMark on the root, which Path is; only with KeepsVolumeMark
	// OpSync makes durable all that was done before, as [Target.Sync] does. If it
	// fails, nothing after it in the list is done, and all of that has its error.
	// It is for targets with the feature SyncsInLists only; [ApplyAll] does it with
	// any. Path is Root.
	OpSync
)

// opEnd is the first kind that an Op for a driver cannot have.
const opEnd = OpSync

var opNames = [...]string{"", "mkdir", "symlink", "mknod", "link", "rename", "remove", "remove-tree", "set-meta", "set-mark", "set-volume-mark", "sync"}

// String gives the operation's name.
func (k OpKind) String() string {
	if k > 0 && int(k) < len(opNames) {
		return opNames[k]
	}
	return fmt.Sprintf("op(%d)", uint8(k))
}

// MetaMask says which parts of a Meta are to be set.
type MetaMask uint8

// The parts of a Meta.
const (
	MetaOwner  MetaMask = 1 << iota // UID and GID
	MetaPerm                        // Perm; no effect on symlinks
	MetaMtime                       // Mtime
	MetaXattrs                      // Xattrs are the whole set: others of the same namespaces are removed
	MetaAll    = MetaOwner | MetaPerm | MetaMtime | MetaXattrs
)

// Meta holds an entry's attributes, set in the order owner, extended
// attributes, permissions, time, since each of these may undo a later one.
type Meta struct {
	Mask   MetaMask
	Perm   Perm
	UID    uint32
	GID    uint32
	Mtime  Time
	Xattrs []Xattr
}

// MetaOf takes the attributes of e that mask names.
func MetaOf(e *Entry, mask MetaMask) Meta {
	return Meta{Mask: mask, Perm: e.Perm, UID: e.UID, GID: e.GID, Mtime: e.Mtime, Xattrs: e.Xattrs}
}

// Op is one operation on a target.
type Op struct {
	Kind       OpKind
	Path       Path
	From       Path        // OpLink, OpRename
	Synced     bool        // OpRename: From is a file whose data is on the disk already; see SyncsFiles
	Target     string      // OpSymlink
	Type       Type        // OpMknod
	Major      uint32      // OpMknod
	Minor      uint32      // OpMknod
	Meta       Meta        // OpSymlink, OpMknod, OpSetMeta
	Mark       []byte      // OpSetMark
	Native     NativeXTime // OpSetMark; only with HasNative
	VolumeMark VolumeMark  // OpSetVolumeMark
}

// MaxMark is the longest mark, in bytes.
const MaxMark = 256

// Validate checks what came from a host. OpSync is refused: a driver that does not
// know it must not take it for done.
func (o *Op) Validate() error {
	if o.Kind == 0 || o.Kind >= opEnd {
		return fmt.Errorf("operation %d is not known", o.Kind)
	}
	if err := o.Path.Validate(); err != nil {
		return fmt.Errorf("%s: %w", o.Kind, err)
	}
	if o.Kind == OpLink || o.Kind == OpRename {
		if err := o.From.Validate(); err != nil {
			return fmt.Errorf("%s from: %w", o.Kind, err)
		}
		if o.From == Root {
			return fmt.Errorf("%s: the root cannot be moved or linked", o.Kind)
		}
	}
	switch o.Kind {
	case OpSetMeta, OpSetMark, OpSetVolumeMark, OpMkdir:
	default:
		if o.Path == Root {
			return fmt.Errorf("%s: the root cannot be made or removed", o.Kind)
		}
	}
	switch {
	case o.Kind == OpMknod && (o.Type < TypeFIFO || o.Type > TypeBlock):
		return fmt.Errorf("%s %q: %s is no special file", o.Kind, o.Path, o.Type)
	case o.Kind == OpSymlink && (o.Target == "" || strings.IndexByte(o.Target, 0) >= 0):
		return fmt.Errorf("%s %q: unusable target", o.Kind, o.Path)
	case o.Kind == OpSetVolumeMark && (o.Path != Root || o.VolumeMark.IsZero()):
		return fmt.Errorf("%s %q: not a volume's mark on the root", o.Kind, o.Path)
	case len(o.Mark) > MaxMark:
		return fmt.Errorf("%s %q: mark of %d bytes", o.Kind, o.Path, len(o.Mark))
	case o.Meta.Perm&^PermMask != 0 || o.Meta.Mtime.Nsec >= 1e9 || o.Meta.Mask&^MetaAll != 0:
		return fmt.Errorf("%s %q: attributes out of range", o.Kind, o.Path)
	}
	return nil
}

// Lost says which attributes a target could not keep, for lack of privilege or
// of support, while all else about the entry was done.
type Lost uint8

// What can be lost.
const (
	LostOwner  Lost = 1 << iota // owner or group
	LostPerm                    // set-ID or sticky bits
	LostXattrs                  // some extended attribute
	LostACL                     // an access control list
	LostMtime                   // the modification time, wholly or its fraction
)

// OpResult is the outcome of one Op. Err nil means done, but for what Lost
// names.
type OpResult struct {
	Err  *Error
	Lost Lost
}
