package localfs

import (
	"bytes"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/gsyncd/gsyncd-host/sdk"
)

const (
	setIDs = unix.S_ISUID | unix.S_ISGID
	odd    = setIDs | unix.S_ISVTX
)

// SetMeta sets attributes of an open file. What the system refuses for lack of
// privilege or of support is named in Lost and is no error. A set-ID bit never
// stays on a file that could not be given its owner.
func (r *Root) SetMeta(f *os.File, m *sdk.Meta) (sdk.Lost, error) {
	lost, err := setMeta(subject{root: r, fd: int(f.Fd())}, m)
	if err != nil {
		return lost, fail("set attributes", sdk.Path(f.Name()), err)
	}
	return lost, nil
}

// SetMtime sets the modification time of an open file, as SetMeta does with
// nothing else asked for, and without a look at the file before.
func (r *Root) SetMtime(f *os.File, t sdk.Time) (sdk.Lost, error) {
	w := work{s: subject{root: r, fd: int(f.Fd())}, m: &sdk.Meta{Mtime: t}}
	if err := w.mtime(); err != nil {
		return w.lost, fail("set attributes", sdk.Path(f.Name()), err)
	}
	return w.lost, nil
}

// NeedsData reports whether some of the attributes can only be set once a file has
// its data, because writing takes them away.
func NeedsData(m *sdk.Meta) bool {
	return len(m.Xattrs) > 0 || uint32(m.Perm)&setIDs != 0
}

// SetMeta sets attributes of the entry called name, of any type, without
// opening it. A symbolic link is not followed and keeps its permissions.
func (d *Dir) SetMeta(name string, m *sdk.Meta) (sdk.Lost, error) {
	const op = "set attributes"
	if err := d.check(op, name); err != nil {
		return 0, err
	}
	var fd int
	err := d.try(func() (err error) {
		fd, err = openRetry(d.fd, name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		return err
	})
	if err != nil {
		return 0, fail(op, d.path.Join(name), err)
	}
	defer unix.Close(fd)
	lost, err := setMeta(subject{root: d.root, fd: fd, path: true}, m)
	if err != nil {
		return lost, fail(op, d.path.Join(name), err)
	}
	return lost, nil
}

// SetOwnMeta sets attributes of the directory itself.
func (d *Dir) SetOwnMeta(m *sdk.Meta) (sdk.Lost, error) {
	lost, err := setMeta(subject{root: d.root, fd: d.fd, path: d.opath}, m)
	if err != nil {
		return lost, fail("set attributes", d.path, err)
	}
	return lost, nil
}

// setMeta does the work: owner, attributes, lists, mode, time, each of which
// may undo a later one. Nothing is called that would change nothing.
func setMeta(s subject, m *sdk.Meta) (sdk.Lost, error) {
	var st unix.Stat_t
	if err := unix.Fstat(s.fd, &st); err != nil {
		return 0, err
	}
	w := work{s: s, st: &st, m: m, link: st.Mode&unix.S_IFMT == unix.S_IFLNK, dir: st.Mode&unix.S_IFMT == unix.S_IFDIR}
	w.perm = w.s.root.holds.perm(w.key(), st.Mode&0o7777)
	if m.Mask&sdk.MetaOwner != 0 {
		if err := w.owner(); err != nil {
			return w.lost, err
		}
	}
	if m.Mask&sdk.MetaXattrs != 0 {
		if err := w.xattrs(); err != nil {
			return w.lost, err
		}
	}
	if !w.link && (m.Mask&sdk.MetaPerm != 0 || w.touched) {
		if err := w.mode(); err != nil {
			return w.lost, err
		}
	}
	if m.Mask&sdk.MetaMtime != 0 {
		if err := w.mtime(); err != nil {
			return w.lost, err
		}
	}
	return w.lost, nil
}

type work struct {
	s         subject
	st        *unix.Stat_t
	m         *sdk.Meta
	link, dir bool
	lost      sdk.Lost
	perm      uint32 // the mode it had before
	touched   bool   // the mode may have changed on the way
	wrong     uint32 // set-ID bits that must not be set
}

func (w *work) key() inode { return inode{w.st.Dev, w.st.Ino} }

// denied reports whether the system refuses something for lack of privilege or of
// support. What is marked as not to be changed, as by chattr +i, lacks neither: that is an
// error, for the attributes can be set once the mark is gone.
func (w *work) denied(err error) bool {
	return refusal(err) && (err != unix.EPERM || !w.fixed())
}

func (w *work) fixed() bool {
	var st unix.Statx_t
	err := statxFD(w.s.fd, &st)
	return err == nil && st.Attributes&(unix.STATX_ATTR_IMMUTABLE|unix.STATX_ATTR_APPEND) != 0
}

func refusal(err error) bool {
	return err == unix.EPERM || err == unix.EACCES || err == unix.EOPNOTSUPP || err == unix.EINVAL || err == unix.ENOSYS
}

func (w *work) owner() error {
	uid, gid := w.st.Uid, w.st.Gid
	if uid == w.m.UID && gid == w.m.GID {
		return nil
	}
	chown := func(u, g int) error {
		return unix.Fchownat(w.s.fd, "", u, g, unix.AT_EMPTY_PATH|unix.AT_SYMLINK_NOFOLLOW)
	}
	err := chown(int(w.m.UID), int(w.m.GID))
	switch {
	case err == nil:
		uid, gid = w.m.UID, w.m.GID
	case !w.denied(err):
		return err
	case gid != w.m.GID:
		if err := chown(-1, int(w.m.GID)); err == nil {
			gid = w.m.GID
		} else if !w.denied(err) {
			return err
		}
	}
	if uid != w.m.UID || gid != w.m.GID {
		w.lost |= sdk.LostOwner
	}
	if w.dir || w.link {
		return nil
	}
	if uid != w.m.UID {
		w.wrong |= unix.S_ISUID
	}
	if gid != w.m.GID {
		w.wrong |= unix.S_ISGID
	}
	// A change of owner takes set-ID bits away, and one that failed must.
	w.touched = w.perm&setIDs != 0
	return nil
}

func (w *work) mode() error {
	want := w.perm
	if w.m.Mask&sdk.MetaPerm != 0 {
		want = uint32(w.m.Perm)
	}
	if want&w.wrong != 0 {
		want &^= w.wrong
		w.lost |= sdk.LostPerm
	}
	if want == w.perm && !w.touched {
		return nil
	}
	err := w.chmod(want)
	if err != nil && w.denied(err) && want&odd != 0 {
		// Some filesystems know the plain bits alone.
		w.lost |= sdk.LostPerm
		err = w.chmod(want &^ odd)
	}
	if err != nil {
		if !w.denied(err) {
			return err
		}
		w.lost |= sdk.LostPerm
		return nil
	}
	if want&odd != 0 {
		var st unix.Stat_t
		if err := unix.Fstat(w.s.fd, &st); err != nil {
			return err
		}
		if st.Mode&odd != want&odd {
			w.lost |= sdk.LostPerm
		}
	}
	return nil
}

func (w *work) chmod(perm uint32) error {
	if w.dir {
		return w.s.root.holds.chmod(w.key(), w.s.fd, perm)
	}
	return chmodFD(w.s.fd, perm)
}

func (w *work) mtime() error {
	want := w.m.Mtime
	ts := []unix.Timespec{{Nsec: unix.UTIME_OMIT}, {Sec: want.Sec, Nsec: int64(want.Nsec)}}
	err := unix.UtimesNanoAt(w.s.fd, "", ts, unix.AT_EMPTY_PATH|unix.AT_SYMLINK_NOFOLLOW)
	if err != nil {
		if w.denied(err) {
			w.lost |= sdk.LostMtime
			return nil
		}
		return err
	}
	// A filesystem cuts what it cannot hold without saying so.
	var st unix.Stat_t
	if err := unix.Fstat(w.s.fd, &st); err != nil {
		return err
	}
	if st.Mtim.Sec != want.Sec || st.Mtim.Nsec != int64(want.Nsec) {
		w.lost |= sdk.LostMtime
	}
	return nil
}

// xattrs makes the object's mirrored attributes those wanted. Both lists are
// sorted by name; that of the caller is taken as it comes if it is not.
func (w *work) xattrs() error {
	have, err := w.s.all()
	if err == unix.EACCES {
		if err = w.openUp(); err == nil {
			have, err = w.s.all()
		}
	}
	if err != nil {
		if w.denied(err) {
			w.loseAll()
			return nil
		}
		return err
	}
	// Lists come last: they hang together with the mode.
	for _, acl := range []bool{false, true} {
		for _, x := range have {
			if isACL(x.Name) == acl && find(w.m.Xattrs, x.Name) == nil {
				if err := w.change(x.Name, func() error { return w.s.remove(x.Name) }); err != nil {
					return err
				}
			}
		}
		for i := range w.m.Xattrs {
			x := &w.m.Xattrs[i]
			if isACL(x.Name) != acl {
				continue
			}
			if !w.s.root.mirrored(x.Name) {
				w.lost |= sdk.LostXattrs
				continue
			}
			if old := find(have, x.Name); old != nil && bytes.Equal(old.Value, x.Value) {
				continue
			}
			if err := w.change(x.Name, func() error { return w.s.set(x.Name, x.Value) }); err != nil {
				return err
			}
		}
	}
	return nil
}

func find(list []sdk.Xattr, name string) *sdk.Xattr {
	for i := range list {
		if list[i].Name == name {
			return &list[i]
		}
	}
	return nil
}

func isACL(name string) bool { return name == aclAccess || name == aclDefault }

func (w *work) loseAll() {
	for i := range w.m.Xattrs {
		if isACL(w.m.Xattrs[i].Name) {
			w.lost |= sdk.LostACL
		} else {
			w.lost |= sdk.LostXattrs
		}
	}
}

// change sets or removes one attribute and sorts out why that failed.
func (w *work) change(name string, call func() error) error {
	err := call()
	if err == unix.EACCES && w.openUp() == nil {
		err = call()
	}
	if err == unix.ENOSPC && !w.full() {
		// A value too large for the filesystem looks like a full disk, and goes on to
		// do so when there is room again.
		if err = call(); err == unix.ENOSPC && !w.full() {
			err = unix.E2BIG
		}
	}
	switch {
	case err == nil:
		if name == aclAccess {
			w.touched = true // it sets the group's bits of the mode
		}
		if !mayBeFeigned(name) || w.kept(name) {
			return nil
		}
	case err == unix.ENODATA:
		return nil
	case err == unix.E2BIG || err == unix.ERANGE || w.denied(err):
	default:
		return err
	}
	if isACL(name) {
		w.lost |= sdk.LostACL
	} else {
		w.lost |= sdk.LostXattrs
	}
	return nil
}

// mayBeFeigned reports whether an auxiliary mount of Gluster takes an attribute,
// says yes and does nothing.
func mayBeFeigned(name string) bool {
	return name == aclDefault || strings.HasPrefix(name, "trusted.") || strings.HasPrefix(name, "security.")
}

// kept reports whether the attribute is as wanted.
func (w *work) kept(name string) bool {
	have, err := w.s.get(name)
	want := find(w.m.Xattrs, name)
	if want == nil {
		return err == unix.ENODATA
	}
	return err == nil && bytes.Equal(have, want.Value)
}

// full reports whether the disk has no room, going by the little that any value
// needs.
func (w *work) full() bool {
	var fs unix.Statfs_t
	err := unix.Fstatfs(w.s.root.fd, &fs)
	return err != nil || fs.Bavail*uint64(fs.Bsize) < 1<<20
}

// openUp lets the owner in: user attributes need the right to read or write the
// object, which the mirrored mode may deny. The mode is set again afterwards.
func (w *work) openUp() error {
	if w.link || w.touched || w.s.root.holds == nil || w.perm&0o600 == 0o600 || int(w.st.Uid) != os.Geteuid() {
		return unix.EACCES
	}
	if err := chmodFD(w.s.fd, (w.perm&^setIDs)|0o600); err != nil {
		return err
	}
	w.touched = true
	return nil
}
