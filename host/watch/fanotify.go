package watch

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/localfs"
)

// fanotifyMask is all that can change what a listing shows. Events carry the
// directory and the entry, without its name, so that the kernel makes one of all
// that happened to an entry since the queue was last read. Without the entry it
// would not tell at all of what happens to one that is there already.
const fanotifyMask = unix.FAN_CREATE | unix.FAN_DELETE | unix.FAN_MODIFY | unix.FAN_CLOSE_WRITE |
	unix.FAN_ATTRIB | unix.FAN_MOVED_FROM | unix.FAN_MOVED_TO | unix.FAN_ONDIR

// proofMask is asked for while the mark is tried: opening a directory writes
// nothing.
const proofMask = unix.FAN_OPEN | unix.FAN_ONDIR

// fanotify hears of a whole filesystem.
type fanotify struct {
	queue   int
	root    *localfs.Root
	index   Index
	handles handles
	buf     []byte

	mu     sync.Mutex
	pass   bool // one is under way that has listed something, or is about to
	strays map[sdk.FileID]struct{}
}

// maxStrays bounds the files that are asked for once more when a pass has ended;
// beyond, a change by a name outside of the tree is left to sweeps.
const maxStrays = 1 << 16

var _ ear = (*fanotify)(nil)

// openFanotify marks the filesystem of root, and makes sure that an event of
// root comes through.
func openFanotify(root *localfs.Root, index Index) (*fanotify, error) {
	queue, err := unix.FanotifyInit(unix.FAN_CLASS_NOTIF|unix.FAN_REPORT_FID|unix.FAN_REPORT_DIR_FID|unix.FAN_CLOEXEC|unix.FAN_NONBLOCK, unix.O_RDONLY|unix.O_CLOEXEC)
	switch err {
	case nil:
	case unix.EPERM:
		return nil, errors.New("it takes the capabilities CAP_SYS_ADMIN and CAP_DAC_READ_SEARCH; run as root, or with them")
	case unix.ENOSYS, unix.EINVAL:
		return nil, errors.New("the kernel does not have it; it takes Linux 5.9 or newer, with CONFIG_FANOTIFY")
	case unix.EMFILE:
		return nil, errors.New("too many are in use; raise the sysctl fs.fanotify.max_user_groups")
	default:
		return nil, fmt.Errorf("open the queue: %w", err)
	}
	f := &fanotify{queue: queue, root: root, index: index, handles: newHandles(root), buf: make([]byte, eventBuffer),
		strays: map[sdk.FileID]struct{}{}}
	if err := f.mark(); err != nil {
		f.close()
		return nil, err
	}
	if err := f.prove(); err != nil {
		f.close()
		return nil, err
	}
	return f, nil
}

func (f *fanotify) mark() error {
	err := unix.FanotifyMark(f.queue, unix.FAN_MARK_ADD|unix.FAN_MARK_FILESYSTEM, fanotifyMask, f.root.FD(), "")
	switch err {
	case nil:
		return nil
	case unix.EPERM:
		return errors.New("a whole filesystem may only be watched with the capability CAP_SYS_ADMIN; run as root, or with it")
	case unix.EXDEV:
		return errors.New("the primary is on a btrfs subvolume; it takes the filesystem's top level")
	case unix.EOPNOTSUPP, unix.ENODEV:
		return errors.New("the filesystem gives its directories no handles")
	case unix.ENOSPC:
		return errors.New("too many marks are in use; raise the sysctl fs.fanotify.max_user_marks")
	}
	return fmt.Errorf("mark the filesystem: %w", err)
}

// proofTime is how long an event may take that the kernel queues at once.
const proofTime = time.Second

// prove opens the root and waits for the event of that, by which the root must
// be found again.
func (f *fanotify) prove() error {
	const where = unix.FAN_MARK_FILESYSTEM
	if err := unix.FanotifyMark(f.queue, unix.FAN_MARK_ADD|where, proofMask, f.root.FD(), ""); err != nil {
		return fmt.Errorf("try the mark: %w", err)
	}
	self, err := f.root.StatFD(f.root.FD())
	if err != nil {
		return err
	}
	d, err := f.root.OpenDir(sdk.Root)
	if err != nil {
		return err
	}
	d.Close()
	seen, lost := false, false
	for end := time.Now().Add(proofTime); !seen && time.Now().Before(end); {
		poll := []unix.PollFd{{Fd: int32(f.queue), Events: unix.POLLIN}}
		if _, err := unix.Poll(poll, int(proofTime.Milliseconds())); err != nil && err != unix.EINTR {
			return fmt.Errorf("wait for an event: %w", err)
		}
		if lost, err = f.hear(func(id sdk.FileID) bool { seen = seen || id == self.ID; return true }); err != nil {
			return err
		}
		if lost {
			break
		}
	}
	if err := unix.FanotifyMark(f.queue, unix.FAN_MARK_REMOVE|where, unix.FAN_OPEN, f.root.FD(), ""); err != nil {
		return fmt.Errorf("end the trial of the mark: %w", err)
	}
	switch {
	case lost:
		return errors.New("events were lost or cannot be followed to their directories, which takes the capability CAP_DAC_READ_SEARCH")
	case !seen:
		return errors.New("no event came of opening the primary")
	}
	return nil
}

func (f *fanotify) fd() int { return f.queue }

func (f *fanotify) hear(tell func(sdk.FileID) bool) (lost bool, err error) {
	err = readEvents(f.queue, f.buf, func(b []byte) error {
		return eachEvent(b, func(mask uint64, dir, entry handle) {
			failed := f.follow(dir, func(id sdk.FileID) { f.meet(dir, id, tell) })
			lost = lost || failed || mask&unix.FAN_Q_OVERFLOW != 0
			// The directory may be known and no longer have the file: one that is open
			// by a name that was removed is told of there.
			if entry.data == nil || !f.index.Linked() && !f.passes() {
				return
			}
			failed = f.follow(entry, func(id sdk.FileID) {
				f.stray(id)
				f.holders(id, tell)
			})
			lost = lost || failed
		})
	})
	if err != nil {
		err = fmt.Errorf("read events: %w", err)
	}
	return lost, err
}

// holders tells of the names in the tree of a file to which something happened by a
// name outside, or to how many names it has.
func (f *fanotify) holders(id sdk.FileID, tell func(sdk.FileID) bool) {
	for _, dir := range f.index.Holders(id) {
		tell(dir)
	}
}

func (f *fanotify) passes() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.pass
}

// stray keeps a file in mind while a pass is under way: a directory that it has a
// name in may have been read and not be in the index yet.
func (f *fanotify) stray(id sdk.FileID) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.pass && len(f.strays) < maxStrays {
		f.strays[id] = struct{}{}
	}
}

func (f *fanotify) ended(tell func(sdk.FileID) bool) {
	f.mu.Lock()
	strays := f.strays
	f.pass, f.strays = false, map[sdk.FileID]struct{}{}
	f.mu.Unlock()
	for id := range strays {
		f.holders(id, tell)
	}
}

// follow tells of what a handle means, if that is there. failed says that it
// could not be found out.
func (f *fanotify) follow(h handle, tell func(sdk.FileID)) (failed bool) {
	if h.data == nil {
		return false
	}
	switch id, err := f.handles.resolve(h); {
	case err == nil:
		tell(id)
		return false
	case err == unix.ESTALE || err == unix.ENOENT:
		return false // gone: the directory that it was in tells
	}
	return true
}

// watch has nothing to watch, what is made on the filesystem is marked already. A
// pass is under way.
func (f *fanotify) watch([]sdk.FileID, []sdk.Path) ([]sdk.FileID, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.pass = true
	return nil, nil
}

func (f *fanotify) close() { _ = unix.Close(f.queue) }
