package localfs

import (
	"bytes"
	"os"
	"slices"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/gsyncd/gsyncd-host/sdk"
)

const (
	aclAccess  = "system.posix_acl_access"
	aclDefault = "system.posix_acl_default"

	// System calls 464 and 465 have the same numbers on all Linux machines that
	// Go knows.
	sysGetxattrat  = 464
	sysListxattrat = 465
)

// subject is an object whose extended attributes are asked for: an open
// descriptor, one opened with O_PATH, or a name in a directory.
type subject struct {
	root *Root
	fd   int
	name string // "" for fd itself
	path bool   // fd was opened with O_PATH
	// lenient passes over values that may not be read, as the owner of a file
	// of mode 0000 meets them on a secondary.
	lenient bool
}

// mirrored reports whether an attribute belongs to what is mirrored. Labels
// that the receiving system makes itself, and the program's own marks, do not.
func (r *Root) mirrored(name string) bool {
	switch {
	case name == aclAccess || name == aclDefault:
		return true
	case strings.HasPrefix(name, "user."):
		return !strings.HasPrefix(name[len("user."):], sdk.ReservedXattr)
	case name == "trusted.SGI_ACL_FILE" || name == "trusted.SGI_ACL_DEFAULT":
		return false // how XFS stores the lists, shown a second time
	case strings.HasPrefix(name, "trusted.glusterfs."):
		return false // Gluster's own, and the marks of mirrors
	case strings.HasPrefix(name, "trusted."):
		return r.privileged && !strings.HasPrefix(name[len("trusted."):], sdk.ReservedXattr)
	case name == "security.selinux" || name == "security.ima" || name == "security.evm":
		return false
	case strings.HasPrefix(name, "security."):
		return r.privileged && !strings.HasPrefix(name[len("security."):], sdk.ReservedXattr)
	}
	return false
}

// Xattrs returns the mirrored attributes of the entry called name, sorted by
// name, nil if it has none. It opens nothing and follows nothing.
func (d *Dir) Xattrs(name string) ([]sdk.Xattr, error) {
	if err := d.check("read attributes", name); err != nil {
		return nil, err
	}
	s := subject{root: d.root, fd: d.fd, name: name, lenient: d.root.holds != nil}
	list, err := s.all()
	for err != nil && d.forced(err) {
		list, err = s.all()
	}
	if err != nil {
		return nil, fail("read attributes", d.path.Join(name), err)
	}
	return list, nil
}

// XattrsAt is Xattrs of the i-th of the directory's names. An entry without any
// costs one system call and no memory.
func (d *Dir) XattrsAt(n *Names, i int) ([]sdk.Xattr, error) {
	if d.root.xattrat {
		size, _, no := unix.Syscall6(sysListxattrat, uintptr(d.fd), uintptr(unsafe.Pointer(n.ptr(i))), unix.AT_SYMLINK_NOFOLLOW, 0, 0, 0)
		if no == 0 && size == 0 {
			return nil, nil
		}
	}
	return d.Xattrs(n.At(i))
}

// OwnXattrs returns the mirrored attributes of the directory itself.
func (d *Dir) OwnXattrs() ([]sdk.Xattr, error) {
	s := subject{root: d.root, fd: d.fd, path: d.opath}
	list, err := s.all()
	for err != nil && d.forced(err) {
		list, err = s.all()
	}
	if err != nil {
		return nil, fail("read attributes", d.path, err)
	}
	return list, nil
}

// Inherits reports whether entries that are made in the directory get an access
// control list with it.
func (d *Dir) Inherits() (bool, error) {
	list, err := d.Xattr(".", aclDefault)
	return len(list) > 0, err
}

// FileXattrs returns the mirrored attributes of an open file.
func (r *Root) FileXattrs(f *os.File) ([]sdk.Xattr, error) {
	list, err := subject{root: r, fd: int(f.Fd())}.all()
	if err != nil {
		return nil, fail("read attributes", sdk.Path(f.Name()), err)
	}
	return list, nil
}

// Xattr returns the value of one attribute of the entry called name, or of the
// directory itself if name is ".". A nil value says that there is none.
func (d *Dir) Xattr(name, attr string) ([]byte, error) {
	s := subject{root: d.root, fd: d.fd, name: name}
	if name == "." {
		s.name, s.path = "", d.opath
	} else if err := d.check("read attribute", name); err != nil {
		return nil, err
	}
	v, err := s.get(attr)
	for err == unix.EACCES && d.root.holds != nil {
		if d.forced(err) {
			v, err = s.get(attr)
			continue
		}
		if name != "." {
			v, err = s.getForced(attr)
		}
		break
	}
	switch err {
	case nil:
		return v, nil
	case unix.ENODATA, unix.EOPNOTSUPP:
		return nil, nil
	}
	return nil, fail("read attribute", d.path.Join(name), err)
}

// getForced reads an attribute of a directory that its owner may not read.
func (s subject) getForced(attr string) ([]byte, error) {
	fd, err := openRetry(s.fd, s.name, dirPath, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	h, err := s.root.holds.take(fd)
	if err != nil {
		return nil, err
	}
	defer s.root.holds.release(h)
	return subject{root: s.root, fd: fd, path: true}.get(attr)
}

// SetXattr sets one attribute of the directory itself; an empty value removes
// it.
func (d *Dir) SetXattr(attr string, value []byte) error {
	s := subject{root: d.root, fd: d.fd, path: d.opath}
	err := d.try(func() error {
		if len(value) > 0 {
			return s.set(attr, value)
		}
		if err := s.remove(attr); err != unix.ENODATA {
			return err
		}
		return nil
	})
	if err != nil {
		return fail("set attribute", d.path, err)
	}
	return nil
}

// all reads the mirrored attributes. The common case, none at all, costs one
// system call.
func (s subject) all() ([]sdk.Xattr, error) {
	var small [512]byte
	names, err := s.list(small[:])
	if err != nil {
		if err == unix.EOPNOTSUPP {
			return nil, nil
		}
		return nil, err
	}
	var out []sdk.Xattr
	for len(names) > 0 {
		name, rest, _ := bytes.Cut(names, []byte{0})
		names = rest
		if !s.root.mirrored(string(name)) {
			continue
		}
		value, err := s.get(string(name))
		switch err {
		case nil:
			out = append(out, sdk.Xattr{Name: string(name), Value: value})
		case unix.ENODATA, unix.EPERM, unix.EOPNOTSUPP: // gone, or listed without being ours to read
		default:
			if err != unix.EACCES || !s.lenient {
				return nil, err
			}
		}
	}
	slices.SortFunc(out, func(a, b sdk.Xattr) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

func (s subject) list(buf []byte) ([]byte, error) {
	for {
		n, err := s.listOnce(buf)
		if err == nil {
			return buf[:n], nil
		}
		if err != unix.ERANGE {
			return nil, err
		}
		if n, err = s.listOnce(nil); err != nil {
			return nil, err
		}
		buf = make([]byte, n+256)
	}
}

func (s subject) get(attr string) ([]byte, error) {
	var small [512]byte
	n, err := s.getOnce(attr, small[:])
	if err == nil {
		return append(make([]byte, 0, n), small[:n]...), nil
	}
	for err == unix.ERANGE {
		if n, err = s.getOnce(attr, nil); err != nil {
			return nil, err
		}
		buf := make([]byte, n+64)
		if n, err = s.getOnce(attr, buf); err == nil {
			return buf[:n], nil
		}
	}
	return nil, err
}

// where gives the path under which the calls without a directory reach the
// object. The last component is not followed by the l-calls; for the object of
// an O_PATH descriptor the others must be used, as the path is a link of /proc.
func (s subject) where() string {
	if s.name == "" {
		return procPath(s.fd)
	}
	return procPath(s.fd) + "/" + s.name
}

func (s subject) listOnce(buf []byte) (int, error) {
	switch {
	case s.name == "" && s.path:
		return unix.Listxattr(s.where(), buf)
	case s.name == "":
		return unix.Flistxattr(s.fd, buf)
	case s.root.xattrat:
		return listxattrat(s.fd, s.name, unix.AT_SYMLINK_NOFOLLOW, buf)
	}
	return unix.Llistxattr(s.where(), buf)
}

func (s subject) getOnce(attr string, buf []byte) (int, error) {
	switch {
	case s.name == "" && s.path:
		return unix.Getxattr(s.where(), attr, buf)
	case s.name == "":
		return unix.Fgetxattr(s.fd, attr, buf)
	case s.root.xattrat:
		return getxattrat(s.fd, s.name, unix.AT_SYMLINK_NOFOLLOW, attr, buf)
	}
	return unix.Lgetxattr(s.where(), attr, buf)
}

// set and remove work on descriptors alone: what is changed has been looked at.
func (s subject) set(attr string, value []byte) error {
	if s.path {
		return unix.Setxattr(s.where(), attr, value, 0)
	}
	return unix.Fsetxattr(s.fd, attr, value, 0)
}

func (s subject) remove(attr string) error {
	if s.path {
		return unix.Removexattr(s.where(), attr)
	}
	return unix.Fremovexattr(s.fd, attr)
}

func listxattrat(dirfd int, name string, flags int, buf []byte) (int, error) {
	p, err := unix.BytePtrFromString(name)
	if err != nil {
		return 0, err
	}
	n, _, no := unix.Syscall6(sysListxattrat, uintptr(dirfd), uintptr(unsafe.Pointer(p)), uintptr(flags),
		uintptr(unsafe.Pointer(unsafe.SliceData(buf))), uintptr(len(buf)), 0)
	if no != 0 {
		return 0, no
	}
	return int(n), nil
}

// xattrArgs is the kernel's struct xattr_args, as it is with 64-bit pointers.
type xattrArgs struct {
	value unsafe.Pointer
	size  uint32
	flags uint32
}

func getxattrat(dirfd int, name string, flags int, attr string, buf []byte) (int, error) {
	p, err := unix.BytePtrFromString(name)
	if err != nil {
		return 0, err
	}
	a, err := unix.BytePtrFromString(attr)
	if err != nil {
		return 0, err
	}
	args := xattrArgs{value: unsafe.Pointer(unsafe.SliceData(buf)), size: uint32(len(buf))}
	n, _, no := unix.Syscall6(sysGetxattrat, uintptr(dirfd), uintptr(unsafe.Pointer(p)), uintptr(flags),
		uintptr(unsafe.Pointer(a)), uintptr(unsafe.Pointer(&args)), unsafe.Sizeof(args))
	if no != 0 {
		return 0, no
	}
	return int(n), nil
}
