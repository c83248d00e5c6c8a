package watch

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/localfs"
)

// inotifyMask is all that can change what a listing shows. A directory that is moved has
// another change time, also when it is back before anybody looks.
const inotifyMask = unix.IN_CREATE | unix.IN_DELETE | unix.IN_MODIFY | unix.IN_CLOSE_WRITE | unix.IN_ATTRIB |
	unix.IN_MOVED_FROM | unix.IN_MOVED_TO | unix.IN_MOVE_SELF

// watchLimit is where the kernel says how many directories a user may watch.
const watchLimit = "/proc/sys/fs/inotify/max_user_watches"

// inotify hears of directories one by one: each is watched before it is listed.
type inotify struct {
	queue int
	root  *localfs.Root
	buf   []byte

	mu  sync.Mutex
	ids map[int32]sdk.FileID // by watch
	wds map[sdk.FileID]int32
}

var _ ear = (*inotify)(nil)

// openInotify makes a queue for a tree of so many directories, as far as is known.
func openInotify(root *localfs.Root, dirs int) (*inotify, error) {
	if limit, err := readLimit(); err == nil && dirs > limit {
		return nil, tooMany(dirs, limit)
	}
	queue, err := unix.InotifyInit1(unix.IN_NONBLOCK | unix.IN_CLOEXEC)
	switch err {
	case nil:
	case unix.EMFILE:
		return nil, errors.New("too many are in use; raise the sysctl fs.inotify.max_user_instances")
	case unix.ENOSYS:
		return nil, errors.New("the kernel does not have it; it takes CONFIG_INOTIFY_USER")
	default:
		return nil, fmt.Errorf("open the queue: %w", err)
	}
	n := &inotify{queue: queue, root: root, buf: make([]byte, eventBuffer), ids: map[int32]sdk.FileID{}, wds: map[sdk.FileID]int32{}}
	// The root at once: if that cannot be watched nothing can.
	if _, err := n.add(sdk.FileID{}, sdk.Root); err != nil {
		n.close()
		return nil, err
	}
	return n, nil
}

func readLimit() (int, error) {
	b, err := os.ReadFile(watchLimit)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(string(b)))
}

func tooMany(dirs, limit int) error {
	return fmt.Errorf("the primary has %d directories and a user may watch %d; raise the sysctl fs.inotify.max_user_watches to twice the number of directories", dirs, limit)
}

// usedUp says that the kernel let no more than so many directories be watched.
func usedUp(watched int) error {
	limit, err := readLimit()
	if err != nil || limit <= watched {
		return fmt.Errorf("no more than %d directories can be watched, and the primary has more; raise the sysctl fs.inotify.max_user_watches to twice the number of directories", watched)
	}
	return fmt.Errorf("no more than %d directories can be watched, and the primary has more: a user may watch %d, and other programs use the rest, or a container has a limit of its own; raise the sysctl fs.inotify.max_user_watches by twice the number of directories, or user.max_inotify_watches in the container", watched, limit)
}

func (n *inotify) fd() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.queue
}

// watch watches the directories that are not watched yet. One that is not in its
// place just now may be there again when it is listed, so it is to be listed once
// more.
func (n *inotify) watch(ids []sdk.FileID, paths []sdk.Path) (again []sdk.FileID, err error) {
	for i, id := range ids {
		n.mu.Lock()
		_, known := n.wds[id]
		n.mu.Unlock()
		if known {
			continue
		}
		added, err := n.add(id, paths[i])
		if err != nil {
			return again, err
		}
		if !added {
			again = append(again, id)
		}
	}
	return again, nil
}

// add watches the directory at a path, if it is the one with an identity; the
// zero one is any. The error says that no more directories can be watched.
func (n *inotify) add(id sdk.FileID, path sdk.Path) (added bool, err error) {
	d, err := n.root.OpenPath(path)
	if err != nil {
		return false, nil // as above: or nobody may enter it, and then nobody can list it
	}
	defer d.Close()
	self, err := n.root.StatFD(d.FD())
	if err != nil || !id.IsZero() && self.ID != id {
		return false, nil
	}
	// The lock is held so that no event of the watch is read before it is known.
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.queue < 0 {
		return false, nil
	}
	wd, err := unix.InotifyAddWatch(n.queue, "/proc/self/fd/"+strconv.Itoa(d.FD()), inotifyMask|unix.IN_ONLYDIR)
	switch err {
	case nil:
	case unix.ENOSPC:
		return false, usedUp(len(n.ids))
	case unix.EACCES, unix.ENOENT:
		return false, nil // it may be entered, and not listed
	default:
		return false, fmt.Errorf("watch a directory: %w", err)
	}
	n.ids[int32(wd)], n.wds[self.ID] = self.ID, int32(wd)
	return true, nil
}

// span has nothing to do but to see that all places are there: each directory is
// watched, wherever it lies. The watches of a filesystem end with an event of each when
// it is unmounted.
func (n *inotify) span(each visits) (bool, error) { return false, each.open() }

func (n *inotify) ended(func(sdk.FileID) bool) {}

func (n *inotify) hear(tell func(sdk.FileID) bool) (lost bool, err error) {
	err = readEvents(n.fd(), n.buf, func(b []byte) error {
		n.mu.Lock()
		defer n.mu.Unlock()
		for len(b) > 0 {
			if len(b) < unix.SizeofInotifyEvent {
				return fmt.Errorf("%d bytes are no event", len(b))
			}
			wd, mask := int32(binary.NativeEndian.Uint32(b)), binary.NativeEndian.Uint32(b[4:])
			size := unix.SizeofInotifyEvent + int(binary.NativeEndian.Uint32(b[12:]))
			if size > len(b) {
				return fmt.Errorf("an event of %d bytes in %d", size, len(b))
			}
			b = b[size:]
			id, known := n.ids[wd]
			switch {
			case mask&unix.IN_Q_OVERFLOW != 0:
				lost = true
			case !known:
			case mask&unix.IN_UNMOUNT != 0:
				// Should it be mounted again by now, it is watched anew before it is listed.
				n.forget(wd, id)
				tell(id)
			case mask&unix.IN_IGNORED != 0:
				n.forget(wd, id) // it is gone
			case !tell(id):
				// Moved out of the tree, or not found there yet: it is watched anew
				// before it is listed, which waits for the lock.
				n.forget(wd, id)
				_, _ = unix.InotifyRmWatch(n.queue, uint32(wd))
			}
		}
		return nil
	})
	if err != nil {
		err = fmt.Errorf("read events: %w", err)
	}
	return lost, err
}

func (n *inotify) forget(wd int32, id sdk.FileID) {
	delete(n.ids, wd)
	if n.wds[id] == wd {
		delete(n.wds, id)
	}
}

func (n *inotify) close() {
	n.mu.Lock()
	defer n.mu.Unlock()
	unix.Close(n.queue)
	n.queue = -1 // for a watch that comes after
}
