package localfs

import (
	"os"
	"strconv"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// holds keeps the directories whose mode was widened for the time being, so
// that two users of one directory neither lock each other out nor take the wide
// mode for the right one.
type holds struct {
	mu   sync.Mutex
	open map[inode]*hold
	n    atomic.Int32 // len(open), for a look without the lock
}

type inode struct{ dev, ino uint64 }

type hold struct {
	key  inode
	fd   int
	perm uint32 // what is put back
	n    int
}

func newHolds() *holds { return &holds{open: map[inode]*hold{}} }

const ownerAll = 0o700

// take gives the owner all rights to the directory fd. EACCES says that this is
// not what is missing, or that the directory is somebody else's.
func (h *holds) take(fd int) (*hold, error) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return nil, err
	}
	key := inode{st.Dev, st.Ino}
	h.mu.Lock()
	defer h.mu.Unlock()
	if held := h.open[key]; held != nil {
		held.n++
		return held, nil
	}
	if st.Mode&unix.S_IFMT != unix.S_IFDIR || st.Mode&ownerAll == ownerAll || int(st.Uid) != os.Geteuid() {
		return nil, unix.EACCES
	}
	own, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	held := &hold{key: key, fd: own, perm: st.Mode & 0o7777, n: 1}
	if err := chmodFD(own, held.perm|ownerAll); err != nil {
		unix.Close(own)
		return nil, err
	}
	h.open[key] = held
	h.n.Add(1)
	return held, nil
}

func (h *holds) release(held *hold) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if held.n--; held.n > 0 {
		return
	}
	delete(h.open, held.key)
	h.n.Add(-1)
	// Should this fail, the owner keeps rights too many until the directory's
	// attributes are set the next time: harmless, and nobody could act on it.
	_ = chmodFD(held.fd, held.perm)
	unix.Close(held.fd)
}

// chmod sets a mode for good: a held directory gets it when it is let go.
func (h *holds) chmod(key inode, fd int, perm uint32) error {
	if h != nil {
		h.mu.Lock()
		defer h.mu.Unlock()
		if held := h.open[key]; held != nil {
			if err := chmodFD(fd, perm|ownerAll); err != nil {
				return err
			}
			held.perm = perm
			return nil
		}
	}
	return chmodFD(fd, perm)
}

// perm is the mode that an object will have when nobody holds it any more.
func (h *holds) perm(key inode, now uint32) uint32 {
	if h == nil || h.n.Load() == 0 {
		return now
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if held := h.open[key]; held != nil {
		return held.perm
	}
	return now
}

// chmodFD changes the mode of what fd stands for, which may have been opened
// with O_PATH.
func chmodFD(fd int, perm uint32) error {
	err := unix.Fchmod(fd, perm)
	if err != unix.EBADF {
		return err
	}
	if err = unix.Fchmodat(fd, "", perm, unix.AT_EMPTY_PATH); err != unix.EOPNOTSUPP {
		return err
	}
	return unix.Chmod(procPath(fd), perm)
}

// procPath names the object of a descriptor: the kernel goes straight to it,
// even to a symbolic link, and follows nothing.
func procPath(fd int) string { return "/proc/self/fd/" + strconv.Itoa(fd) }
