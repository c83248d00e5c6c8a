package localfs

import (
	"context"
	"os"

	"golang.org/x/sys/unix"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// maxOpenLevels is how many directories of a deep tree are held open at once.
const maxOpenLevels = 64

// RemoveTree removes p and, if it is a directory, all below it; nothing there is
// no error. It follows no link and does not enter another mount: that is an
// error of KindBusy. Directories that deny their owner are opened up on a
// writable root. An error leaves what was not yet removed.
func (r *Root) RemoveTree(ctx context.Context, p sdk.Path) error {
	d, name, err := r.OpenParent(p)
	if err != nil {
		if sdk.KindOf(err) == sdk.KindNotExist {
			return nil
		}
		return err
	}
	defer d.Close()
	return d.RemoveTree(ctx, name)
}

// RemoveTree is Root.RemoveTree for the entry called name.
func (d *Dir) RemoveTree(ctx context.Context, name string) error {
	err := d.Unlink(name)
	switch errnoOf(err) {
	case 0:
		return err
	case unix.ENOENT:
		return nil
	case unix.EISDIR, unix.EPERM: // EPERM by POSIX, for a directory
	default:
		return err
	}
	rm := remover{root: d.root, base: d.path}
	defer rm.close()
	if err := rm.enter(d.fd, name, d.place); err != nil {
		if errnoOf(err) == unix.ENOTDIR { // not a directory after all: the first error counts
			return d.Unlink(name)
		}
		return err
	}
	for len(rm.levels) > 0 {
		if err := ctx.Err(); err != nil {
			return sdk.NewError("remove", d.path.Join(name), err)
		}
		if err := rm.step(ctx); err != nil {
			return err
		}
	}
	if err := d.Rmdir(name); err != nil && errnoOf(err) != unix.ENOENT {
		return err
	}
	return nil
}

// remover walks down a tree with a stack of its own, so that neither depth nor
// the limit of open files stops it.
type remover struct {
	root   *Root
	base   sdk.Path
	levels []level
}

type level struct {
	fd    int // -1 while closed to save descriptors
	name  string
	place Place
	ino   uint64
	names *Names
	next  int
}

func (rm *remover) close() {
	for _, l := range rm.levels {
		if l.fd >= 0 {
			unix.Close(l.fd)
		}
	}
}

func (rm *remover) path(name string) sdk.Path {
	p := rm.base
	for _, l := range rm.levels {
		p = p.Join(l.name)
	}
	if name == "" {
		return p
	}
	return p.Join(name)
}

// enter opens a directory and puts it on the stack.
func (rm *remover) enter(at int, name string, place Place) error {
	const flags = unix.O_RDONLY | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_CLOEXEC
	fd, err := openRetry(at, name, flags, 0)
	if err == unix.EACCES && rm.root.holds != nil {
		if err = rm.openUp(at, name); err == nil {
			fd, err = openRetry(at, name, flags, 0)
		}
	}
	if err != nil {
		return fail("remove", rm.path(name), err)
	}
	var st unix.Statx_t
	if err := statxFD(fd, &st); err != nil {
		unix.Close(fd)
		return fail("remove", rm.path(name), err)
	}
	if placeOf(&st) != place {
		unix.Close(fd)
		return &sdk.Error{Kind: sdk.KindBusy, Op: "remove", Path: rm.path(name), Errno: unix.EBUSY, Msg: "another filesystem is mounted there"}
	}
	names, err := rm.root.readNames(fd)
	if err != nil {
		unix.Close(fd)
		return fail("remove", rm.path(name), err)
	}
	rm.levels = append(rm.levels, level{fd: fd, name: name, place: place, ino: st.Ino, names: names})
	if n := len(rm.levels) - 1 - maxOpenLevels; n >= 0 && rm.levels[n].fd >= 0 {
		unix.Close(rm.levels[n].fd)
		rm.levels[n].fd = -1
	}
	return nil
}

// openUp gives the owner all rights to a directory that is to go anyway.
func (rm *remover) openUp(at int, name string) error {
	fd, err := openRetry(at, name, dirPath, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return widen(fd)
}

func widen(fd int) error {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	if st.Mode&ownerAll == ownerAll || int(st.Uid) != os.Geteuid() {
		return unix.EACCES
	}
	return chmodFD(fd, st.Mode&0o7777|ownerAll)
}

// step removes entries of the deepest directory until it is empty or there is
// one to descend into.
func (rm *remover) step(ctx context.Context) error {
	l := &rm.levels[len(rm.levels)-1]
	for ; l.next < l.names.Len(); l.next++ {
		if l.next%256 == 0 && ctx.Err() != nil {
			return nil // the caller sees it
		}
		name := l.names.At(l.next)
		err := unix.Unlinkat(l.fd, name, 0)
		if err == unix.EACCES && rm.root.holds != nil && widen(l.fd) == nil {
			err = unix.Unlinkat(l.fd, name, 0)
		}
		switch err {
		case nil, unix.ENOENT:
			continue
		case unix.EISDIR, unix.EPERM:
		default:
			return fail("remove", rm.path(name), err)
		}
		l.next++
		enterErr := rm.enter(l.fd, name, l.place)
		if errnoOf(enterErr) == unix.ENOTDIR {
			return fail("remove", rm.path(name), err)
		}
		return enterErr
	}
	return rm.leave()
}

// leave goes back to the parent and removes the directory there.
func (rm *remover) leave() error {
	n := len(rm.levels) - 1
	l := rm.levels[n]
	if n == 0 {
		unix.Close(l.fd)
		rm.levels = rm.levels[:0]
		return nil
	}
	up := &rm.levels[n-1]
	if up.fd < 0 {
		fd, err := openRetry(l.fd, "..", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if err != nil {
			return fail("remove", rm.path(""), err)
		}
		var st unix.Statx_t
		if err := statxFD(fd, &st); err != nil || st.Ino != up.ino || placeOf(&st) != up.place {
			unix.Close(fd)
			return &sdk.Error{Kind: sdk.KindChanged, Op: "remove", Path: rm.path(""), Msg: "the directory was moved meanwhile"}
		}
		up.fd = fd
	}
	unix.Close(l.fd)
	rm.levels = rm.levels[:n]
	err := unix.Unlinkat(up.fd, l.name, unix.AT_REMOVEDIR)
	if err == unix.EACCES && rm.root.holds != nil && widen(up.fd) == nil {
		err = unix.Unlinkat(up.fd, l.name, unix.AT_REMOVEDIR)
	}
	if err != nil && err != unix.ENOENT {
		return fail("remove", rm.path(l.name), err)
	}
	return nil
}
