package localfs

import (
	"path/filepath"
	"sync"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// Root is an open directory to which all paths are relative. Its methods may be
// called concurrently, Close only when nothing else runs any more.
type Root struct {
	fd         int
	path       string
	place      Place
	ino        uint64
	privileged bool
	openat2    bool
	xattrat    bool
	noVersion  atomic.Bool // the filesystem has no FS_IOC_GETVERSION
	noExcl     atomic.Bool // it does not know RENAME_NOREPLACE
	holds      *holds      // nil: never change a mode to get in
	closed     atomic.Bool
	dirents    sync.Pool // of *direntBuf
}

// Place says where an object lies: on which device and which mount.
type Place struct {
	Dev   uint64
	Mount uint64
}

// Open opens the directory at path. Symbolic links in path are followed, the
// last one too: whoever named it meant what it leads to.
func Open(path string) (*Root, error) { return open(path, nil) }

// OpenWritable is Open for a tree that is to be changed.
func OpenWritable(path string) (*Root, error) { return open(path, newHolds()) }

func open(path string, h *holds) (*Root, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, sdk.NewError("open "+path, "", err)
	}
	fd, err := openRoot(abs, h != nil)
	if err != nil {
		return nil, fail("open "+abs, "", err)
	}
	r := &Root{fd: fd, path: abs, holds: h, privileged: Privileged()}
	var st unix.Statx_t
	if err := statxFD(fd, &st); err != nil {
		unix.Close(fd)
		return nil, fail("stat "+abs, "", err)
	}
	r.place, r.ino = placeOf(&st), st.Ino
	// A sandbox that does not know a call may deny it instead of ENOSYS, so
	// both are tried where they cannot fail for another reason.
	if probe, err := openat2(fd, ".", unix.O_PATH|unix.O_DIRECTORY); err == nil {
		r.openat2 = true
		unix.Close(probe)
	}
	_, err = listxattrat(fd, "", unix.AT_EMPTY_PATH, nil)
	r.xattrat = err != unix.ENOSYS && err != unix.EPERM && unsafe.Sizeof(uintptr(0)) == 8
	return r, nil
}

// openRoot opens the root for reading, since syncfs and flock need that.
func openRoot(path string, force bool) (int, error) {
	const flags = unix.O_RDONLY | unix.O_DIRECTORY | unix.O_CLOEXEC
	fd, err := openRetry(unix.AT_FDCWD, path, flags, 0)
	if err != unix.EACCES || !force {
		return fd, err
	}
	at, perr := openRetry(unix.AT_FDCWD, path, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if perr != nil {
		return -1, err
	}
	defer unix.Close(at)
	h := newHolds()
	held, herr := h.take(at)
	if herr != nil {
		return -1, err
	}
	defer h.release(held)
	return openRetry(at, ".", flags, 0)
}

// FD is the root's descriptor. It belongs to the Root.
func (r *Root) FD() int { return r.fd }

// Path is the absolute path by which the root was opened.
func (r *Root) Path() string { return r.path }

// Place is where the root lies.
func (r *Root) Place() Place { return r.place }

// Close gives the descriptor back. It may be called twice.
func (r *Root) Close() error {
	if r.closed.Swap(true) {
		return nil
	}
	if err := unix.Close(r.fd); err != nil {
		return fail("close "+r.path, "", err)
	}
	return nil
}

// Verify resolves the root's path anew. An error of KindNotExist says that
// nothing is there, one of KindChanged that it is not the directory that was
// opened.
func (r *Root) Verify() error {
	fd, err := openRetry(unix.AT_FDCWD, r.path, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fail("look at "+r.path, "", err)
	}
	defer unix.Close(fd)
	var st unix.Statx_t
	if err := statxFD(fd, &st); err != nil {
		return fail("look at "+r.path, "", err)
	}
	if st.Ino != r.ino || placeOf(&st) != r.place {
		return &sdk.Error{Kind: sdk.KindChanged, Op: "look at " + r.path, Msg: "another directory is there now"}
	}
	return nil
}

// Sync makes durable all that was done on the root's filesystem, and reports
// what could not be written back since the root was opened.
func (r *Root) Sync() error { return SyncFS(r.fd) }

// SyncFS makes durable all that was done on the filesystem of an open file or
// directory, and reports what could not be written back since that was opened.
func SyncFS(fd int) error {
	if err := unix.Syncfs(fd); err != nil {
		return fail("sync filesystem", "", err)
	}
	return nil
}
