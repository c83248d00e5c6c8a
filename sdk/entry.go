package sdk

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"strings"
)

// Type says what an entry is.
type Type uint8

// The types of directory entries. TypeUnknown is that of an entry whose
// attributes could not be read; its Err says why.
const (
	TypeUnknown Type = iota
	TypeRegular
	TypeDir
	TypeSymlink
	TypeFIFO
	TypeSocket
	TypeChar
	TypeBlock
	typeEnd
)

var typeNames = [...]string{"unknown", "file", "directory", "symlink", "fifo", "socket", "character device", "block device"}

// String names the type for people.
func (t Type) String() string {
	if int(t) < len(typeNames) {
		return typeNames[t]
	}
	return fmt.Sprintf("type(%d)", uint8(t))
}

// Time is a point in time: seconds since 1970 in UTC, which may be negative,
// and nanoseconds, 0 to 999,999,999. It has the range of the kernel's
// timespec, which is wider than what 64 bits of nanoseconds hold.
type Time struct {
	Sec  int64
	Nsec uint32
}

// Compare orders times: -1, 0 or +1.
func (t Time) Compare(o Time) int {
	if c := cmp.Compare(t.Sec, o.Sec); c != 0 {
		return c
	}
	return cmp.Compare(t.Nsec, o.Nsec)
}

// Add returns t moved by d nanoseconds.
func (t Time) Add(d int64) Time {
	n := int64(t.Nsec) + d%1e9
	s := t.Sec + d/1e9
	if n < 0 {
		n += 1e9
		s--
	} else if n >= 1e9 {
		n -= 1e9
		s++
	}
	return Time{Sec: s, Nsec: uint32(n)}
}

// IsZero reports whether t is the zero Time, which stands for "not known".
func (t Time) IsZero() bool { return t == Time{} }

// FileID tells one object of a resource from every other that lives or lived
// there: the inode number, and its birth time or generation, so that a reused
// number is another object. The zero FileID means "not known".
type FileID struct {
	Ino uint64
	Gen uint64
}

// FileIDSize is the length of an encoded FileID.
const FileIDSize = 16

// AppendBinary appends the 16-byte little-endian encoding.
func (id FileID) AppendBinary(b []byte) ([]byte, error) {
	b = binary.LittleEndian.AppendUint64(b, id.Ino)
	return binary.LittleEndian.AppendUint64(b, id.Gen), nil
}

// FileIDFrom decodes what AppendBinary wrote; b has at least FileIDSize bytes.
func FileIDFrom(b []byte) FileID {
	return FileID{Ino: binary.LittleEndian.Uint64(b), Gen: binary.LittleEndian.Uint64(b[8:])}
}

// IsZero reports whether the identity is not known.
func (id FileID) IsZero() bool { return id == FileID{} }

// Xattr is one extended attribute. POSIX ACLs travel as the attributes that
// Linux shows them as ("system.posix_acl_access", "system.posix_acl_default"),
// in the kernel's encoding with numeric ids.
type Xattr struct {
	Name  string
	Value []byte
}

// Limits on extended attributes, those of Linux.
const (
	MaxXattrName  = 255
	MaxXattrValue = 64 << 10
)

// Perm holds the permission bits with set-user-ID, set-group-ID and sticky:
// the low twelve bits of st_mode.
type Perm uint16

// PermMask covers all bits of a Perm.
const PermMask Perm = 0o7777

// Entry describes one directory entry. What belongs to a type alone is zero in
// the others.
type Entry struct {
	Name  string // name in its directory; "." for the root or the directory itself
	Type  Type
	Perm  Perm
	UID   uint32
	GID   uint32
	Nlink uint32
	Size  int64 // bytes, of regular files
	Mtime Time
	Ctime Time
	ID    FileID
	Major uint32 // device number, of character and block devices
	Minor uint32
	// Mount is set on a directory that lies on another filesystem than its
	// parent, when the resource was told to stay on one: it has no entries.
	Mount bool

	Target string  // where a symlink points, with FieldTarget
	Xattrs []Xattr // sorted by name, without the reserved ones, with FieldXattrs
	Mark   []byte  // the directory's mark, nil if it has none, with FieldMark
	// Native is the native xtime, with FieldNative that of a directory and with
	// FieldEntryNative of any entry. Of the directory that a scan lists it is read
	// before the listing.
	Native NativeXTime

	// Err says why the attributes could not be read; Type is then TypeUnknown
	// and only Name is set.
	Err *Error
}

// Validate checks what came from a driver. The name of a directory's own entry
// is ".".
func (e *Entry) Validate() error {
	if e.Name != "." {
		if err := ValidateName(e.Name); err != nil {
			return err
		}
	}
	switch {
	case e.Type >= typeEnd:
		return fmt.Errorf("entry %q: type %d is not known", e.Name, e.Type)
	case e.Type == TypeUnknown && e.Err == nil:
		return fmt.Errorf("entry %q: neither a type nor an error", e.Name)
	case e.Perm&^PermMask != 0:
		return fmt.Errorf("entry %q: permission bits %#o", e.Name, e.Perm)
	case e.Size < 0:
		return fmt.Errorf("entry %q: size %d", e.Name, e.Size)
	case e.Mtime.Nsec >= 1e9 || e.Ctime.Nsec >= 1e9:
		return fmt.Errorf("entry %q: nanoseconds out of range", e.Name)
	case strings.IndexByte(e.Target, 0) >= 0:
		return fmt.Errorf("entry %q: NUL in the symlink's target", e.Name)
	}
	for _, x := range e.Xattrs {
		if x.Name == "" || len(x.Name) > MaxXattrName || strings.IndexByte(x.Name, 0) >= 0 || len(x.Value) > MaxXattrValue {
			return fmt.Errorf("entry %q: extended attribute %q out of range", e.Name, x.Name)
		}
	}
	return nil
}

// Fields says which costly parts of an Entry are wanted; the rest always is, and is the
// same whatever is asked for besides.
type Fields uint8

// The costly parts.
const (
	FieldTarget Fields = 1 << iota
	FieldXattrs
	FieldMark
	FieldNative      // only with HasNative
	FieldEntryNative // native xtimes of all entries, not of directories alone; with FieldNative
)
