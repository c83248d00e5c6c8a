package localfs

import (
	"os"

	"golang.org/x/sys/unix"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// Create makes the regular file called name, which must not exist, with mode
// 0600, and opens it for reading and writing.
func (d *Dir) Create(name string) (*os.File, error) { return d.CreateAs(name, 0o600) }

// CreateAs is Create with those of the permissions perm that belong to whoever owns
// the file and to everybody else alike, as far as the umask lets them. It saves a call
// where that turns out to be enough. What only the group may do, or only others, has to
// wait for the file's own group: until then it has that of its maker or directory.
func (d *Dir) CreateAs(name string, perm sdk.Perm) (*os.File, error) {
	if err := d.check("create", name); err != nil {
		return nil, err
	}
	all := perm >> 3 & perm & 0o7 // what both may
	var fd int
	err := d.try(func() (err error) {
		fd, err = unix.Openat(d.fd, name, unix.O_RDWR|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, uint32(perm&0o700|all<<3|all))
		return err
	})
	if err != nil {
		return nil, fail("create", d.path.Join(name), err)
	}
	return os.NewFile(uintptr(fd), string(d.path.Join(name))), nil
}

// CreateUnnamed makes a file in the directory's filesystem that has no name and
// vanishes with its last descriptor. The directory is not changed by it.
func (d *Dir) CreateUnnamed() (*os.File, error) {
	fd, err := openRetry(d.fd, ".", unix.O_RDWR|unix.O_TMPFILE|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, fail("create unnamed file", d.path, err)
	}
	return os.NewFile(uintptr(fd), "unnamed file"), nil
}

// Mkdir makes the directory called name, with mode perm whatever the umask.
func (d *Dir) Mkdir(name string, perm sdk.Perm) error {
	if err := d.check("make directory", name); err != nil {
		return err
	}
	err := d.try(func() error { return unix.Mkdirat(d.fd, name, uint32(perm)&0o700) })
	if err == nil && perm&^0o700 != 0 {
		err = fchmodNoFollow(d.fd, name, uint32(perm))
	}
	if err != nil {
		return fail("make directory", d.path.Join(name), err)
	}
	return nil
}

func fchmodNoFollow(dirfd int, name string, perm uint32) error {
	fd, err := openRetry(dirfd, name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return chmodFD(fd, perm)
}

// Symlink makes the symbolic link called name, which must not exist.
func (d *Dir) Symlink(target, name string) error {
	if err := d.check("make symlink", name); err != nil {
		return err
	}
	if err := d.try(func() error { return unix.Symlinkat(target, d.fd, name) }); err != nil {
		return fail("make symlink", d.path.Join(name), err)
	}
	return nil
}

// Mknod makes the fifo, socket or device called name, which must not exist,
// with mode 0600.
func (d *Dir) Mknod(name string, t sdk.Type, major, minor uint32) error {
	op := "make " + t.String()
	if err := d.check(op, name); err != nil {
		return err
	}
	mode, dev := uint32(0o600), 0
	switch t {
	case sdk.TypeFIFO:
		mode |= unix.S_IFIFO
	case sdk.TypeSocket:
		mode |= unix.S_IFSOCK
	case sdk.TypeChar:
		mode, dev = mode|unix.S_IFCHR, int(unix.Mkdev(major, minor))
	case sdk.TypeBlock:
		mode, dev = mode|unix.S_IFBLK, int(unix.Mkdev(major, minor))
	default:
		return &sdk.Error{Kind: sdk.KindInput, Op: op, Path: d.path.Join(name)}
	}
	if err := d.try(func() error { return unix.Mknodat(d.fd, name, mode, dev) }); err != nil {
		return fail(op, d.path.Join(name), err)
	}
	return nil
}

// Link gives the object called name the second name newName in directory to,
// which must not exist. A symbolic link is linked itself.
func (d *Dir) Link(name string, to *Dir, newName string) error {
	if err := d.check("link", name); err != nil {
		return err
	}
	if err := to.check("link", newName); err != nil {
		return err
	}
	if err := d.tryTwo(to, func() error { return unix.Linkat(d.fd, name, to.fd, newName, 0) }); err != nil {
		return fail("link", to.path.Join(newName), err)
	}
	return nil
}

// tryTwo is try for a call on two directories: either may deny it.
func (d *Dir) tryTwo(to *Dir, call func() error) error {
	err := d.try(call)
	if err != nil && to != d && to.forced(err) {
		err = call()
	}
	return err
}

// Rename moves the entry called name to newName in directory to. What is there
// is replaced in one step, unless it is a directory: that is an error of
// KindChanged. If both are names of one object, name alone goes away.
func (d *Dir) Rename(name string, to *Dir, newName string) error {
	if err := d.check("rename", name); err != nil {
		return err
	}
	if err := to.check("rename", newName); err != nil {
		return err
	}
	rename := func(flags uint) error {
		return d.tryTwo(to, func() error { return unix.Renameat2(d.fd, name, to.fd, newName, flags) })
	}
	err := error(unix.EINVAL)
	if !d.root.noExcl.Load() {
		err = rename(unix.RENAME_NOREPLACE)
	}
	switch err {
	case nil:
		return nil
	case unix.EEXIST, unix.EINVAL, unix.ENOSYS: // not every filesystem knows the flag
	default:
		return d.renameFailed(name, to, newName, err)
	}
	old, oldPlace, serr := d.LstatPlace(name)
	if serr != nil {
		return serr
	}
	there, therePlace, serr := to.LstatPlace(newName)
	switch {
	case serr != nil && sdk.KindOf(serr) != sdk.KindNotExist:
		return serr
	case serr != nil || (old.Type != sdk.TypeDir && there.Type != sdk.TypeDir && old.ID.Ino != there.ID.Ino):
		first := err
		if err = rename(0); err == nil && first == unix.EINVAL {
			d.root.noExcl.Store(true) // each try would cost looking up both names
		}
	case old.ID.Ino == there.ID.Ino && oldPlace.Dev == therePlace.Dev:
		if d.ino == to.ino && d.place == to.place && name == newName {
			return nil
		}
		return d.Unlink(name) // rename(2) would leave both
	case there.Type == sdk.TypeDir:
		return &sdk.Error{Kind: sdk.KindChanged, Op: "rename", Path: to.path.Join(newName), Errno: unix.EEXIST, Msg: "a directory is there"}
	case old.Type == sdk.TypeDir:
		// rename(2) does not put a directory over a file.
		if err = rename(unix.RENAME_EXCHANGE); err == nil {
			return d.Unlink(name)
		}
		if (err == unix.EINVAL || err == unix.ENOSYS) && !to.path.Within(d.path.Join(name)) {
			// Where that is not known nothing is there for a moment.
			if err := to.Unlink(newName); err != nil {
				return err
			}
			err = rename(0)
		}
	default:
		err = rename(0)
	}
	if err != nil {
		return d.renameFailed(name, to, newName, err)
	}
	return nil
}

// renameFailed gives the error of a rename. EXDEV stands for a mount point as
// well, EINVAL for a directory moved below itself.
func (d *Dir) renameFailed(name string, to *Dir, newName string, err error) error {
	e := sdk.NewError("rename", to.path.Join(newName), fail("rename", "", err))
	e.Msg = "from " + string(d.path.Join(name))
	return e
}

// Unlink removes the entry called name, which is not a directory: that is an
// error of KindChanged.
func (d *Dir) Unlink(name string) error { return d.unlink("remove", name, 0) }

// Rmdir removes the empty directory called name.
func (d *Dir) Rmdir(name string) error { return d.unlink("remove directory", name, unix.AT_REMOVEDIR) }

func (d *Dir) unlink(op, name string, flags int) error {
	if err := d.check(op, name); err != nil {
		return err
	}
	if err := d.try(func() error { return unix.Unlinkat(d.fd, name, flags) }); err != nil {
		return fail(op, d.path.Join(name), err)
	}
	return nil
}
