package localfs

import (
	"os"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/gsyncd/gsyncd-host/sdk"
)

const (
	statMask  = unix.STATX_BASIC_STATS | unix.STATX_BTIME | unix.STATX_MNT_ID
	statFlags = unix.AT_SYMLINK_NOFOLLOW | unix.AT_NO_AUTOMOUNT
	// freshFlags ask a server how things are now. Without it the answer may be as
	// old as the kernel keeps attributes; a listing has just renewed them.
	freshFlags = statFlags | unix.AT_STATX_FORCE_SYNC

	ioctlGetVersion = 0x80087601 // FS_IOC_GETVERSION
)

// knownFD asks for what never changes while a descriptor is open: the inode's
// number and where it lies. No server is asked.
func knownFD(fd int, st *unix.Statx_t) error {
	return unix.Statx(fd, "", unix.AT_EMPTY_PATH|statFlags|unix.AT_STATX_DONT_SYNC, statMask, st)
}

func statxFD(fd int, st *unix.Statx_t) error {
	return unix.Statx(fd, "", unix.AT_EMPTY_PATH|freshFlags, statMask, st)
}

// statxPtr is unix.Statx for a name that ends in NUL already: a listing of
// millions must not copy each name once more.
func statxPtr(dirfd int, name *byte, st *unix.Statx_t) error {
	_, _, no := unix.Syscall6(unix.SYS_STATX, uintptr(dirfd), uintptr(unsafe.Pointer(name)), statFlags, statMask, uintptr(unsafe.Pointer(st)), 0)
	if no != 0 {
		return no
	}
	return nil
}

func placeOf(st *unix.Statx_t) Place {
	p := Place{Dev: unix.Mkdev(st.Dev_major, st.Dev_minor)}
	if st.Mask&unix.STATX_MNT_ID != 0 {
		p.Mount = st.Mnt_id
	}
	return p
}

func typeOf(mode uint16) sdk.Type {
	switch mode & unix.S_IFMT {
	case unix.S_IFREG:
		return sdk.TypeRegular
	case unix.S_IFDIR:
		return sdk.TypeDir
	case unix.S_IFLNK:
		return sdk.TypeSymlink
	case unix.S_IFIFO:
		return sdk.TypeFIFO
	case unix.S_IFSOCK:
		return sdk.TypeSocket
	case unix.S_IFCHR:
		return sdk.TypeChar
	case unix.S_IFBLK:
		return sdk.TypeBlock
	}
	return sdk.TypeUnknown
}

// fill sets all of e but its Name from st. The generation of an object on a
// filesystem without birth times is left to the caller.
func (r *Root) fill(e *sdk.Entry, st *unix.Statx_t) {
	name := e.Name
	*e = sdk.Entry{
		Name:  name,
		Type:  typeOf(st.Mode),
		Perm:  sdk.Perm(st.Mode) & sdk.PermMask,
		UID:   st.Uid,
		GID:   st.Gid,
		Nlink: st.Nlink,
		Mtime: sdk.Time{Sec: st.Mtime.Sec, Nsec: st.Mtime.Nsec},
		Ctime: sdk.Time{Sec: st.Ctime.Sec, Nsec: st.Ctime.Nsec},
		ID:    sdk.FileID{Ino: st.Ino},
	}
	switch e.Type {
	case sdk.TypeRegular:
		e.Size = int64(st.Size)
	case sdk.TypeDir:
		if r.holds != nil {
			key := inode{unix.Mkdev(st.Dev_major, st.Dev_minor), st.Ino}
			e.Perm = sdk.Perm(r.holds.perm(key, uint32(e.Perm)))
		}
	case sdk.TypeChar, sdk.TypeBlock:
		e.Major, e.Minor = st.Rdev_major, st.Rdev_minor
	}
	if st.Mask&unix.STATX_BTIME != 0 {
		e.ID.Gen = uint64(st.Btime.Sec)*1e9 + uint64(st.Btime.Nsec)
	}
	if dev := unix.Mkdev(st.Dev_major, st.Dev_minor); dev != r.place.Dev {
		// Inode numbers repeat on another filesystem below the root.
		e.ID.Gen ^= dev * 0x9e3779b97f4a7c15
	}
}

// addVersion puts the inode's generation into e's identity where the filesystem
// has no birth times. The object is opened for that, which only files and
// directories bear.
func (r *Root) addVersion(e *sdk.Entry, st *unix.Statx_t, dirfd int, name string) {
	if st.Mask&unix.STATX_BTIME != 0 || r.noVersion.Load() || (e.Type != sdk.TypeRegular && e.Type != sdk.TypeDir) {
		return
	}
	fd, err := openQuiet(dirfd, name, unix.O_NONBLOCK|unix.O_NOFOLLOW)
	if err != nil {
		return
	}
	defer unix.Close(fd)
	r.addVersionFD(e, st, fd)
}

func (r *Root) addVersionFD(e *sdk.Entry, st *unix.Statx_t, fd int) {
	if st.Mask&unix.STATX_BTIME != 0 || r.noVersion.Load() || (e.Type != sdk.TypeRegular && e.Type != sdk.TypeDir) {
		return
	}
	v, err := unix.IoctlGetInt(fd, ioctlGetVersion)
	if err == unix.EBADF && e.Type == sdk.TypeDir { // opened with O_PATH
		own, oerr := openQuiet(fd, ".", unix.O_DIRECTORY)
		if oerr != nil {
			return
		}
		defer unix.Close(own)
		v, err = unix.IoctlGetInt(own, ioctlGetVersion)
	}
	switch err {
	case nil:
		e.ID.Gen ^= uint64(uint32(v))
	case unix.ENOTTY, unix.EOPNOTSUPP, unix.EINVAL:
		r.noVersion.Store(true)
	}
}

// openQuiet opens for reading without touching the access time, where the
// object's owner or a privileged user asks.
func openQuiet(dirfd int, name string, flags int) (int, error) {
	flags |= unix.O_RDONLY | unix.O_CLOEXEC | unix.O_NOCTTY
	fd, err := openRetry(dirfd, name, flags|unix.O_NOATIME, 0)
	if err == unix.EPERM {
		return openRetry(dirfd, name, flags, 0)
	}
	return fd, err
}

// StatFile describes an open file. Its Name is ".".
func (r *Root) StatFile(f *os.File) (sdk.Entry, error) { return r.StatFD(int(f.Fd())) }

// StatFD describes what a descriptor stands for. Its Name is ".".
func (r *Root) StatFD(fd int) (sdk.Entry, error) {
	var st unix.Statx_t
	e := sdk.Entry{Name: "."}
	if err := statxFD(fd, &st); err != nil {
		return e, fail("stat", "", err)
	}
	r.fill(&e, &st)
	r.addVersionFD(&e, &st, fd)
	return e, nil
}
