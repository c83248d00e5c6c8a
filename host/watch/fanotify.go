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
// would not tell at all of what happens to one that is there already. A directory that
// is moved has another change time, also when it is back before anybody looks.
const fanotifyMask = unix.FAN_CREATE | unix.FAN_DELETE | unix.FAN_MODIFY | unix.FAN_CLOSE_WRITE |
	unix.FAN_ATTRIB | unix.FAN_MOVED_FROM | unix.FAN_MOVED_TO | unix.FAN_MOVE_SELF | unix.FAN_ONDIR

// proofMask is asked for while the mark is tried: opening a directory writes
// nothing.
const proofMask = unix.FAN_OPEN | unix.FAN_ONDIR

// fanotify hears of whole filesystems.
type fanotify struct {
	queue   int
	root    *localfs.Root
	index   Index
	own     fsid // of the root's filesystem
	ownDev  uint64
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
	if err := f.markRoot(); err != nil {
		f.close()
		return nil, err
	}
	return f, nil
}

// markRoot marks the root's filesystem.
func (f *fanotify) markRoot() error {
	w, err := openWhole(f.root.FD())
	if err != nil {
		return err
	}
	defer w.close()
	f.own, f.ownDev = w.id, w.dev
	return f.listen(w, f.root.FD())
}

// listen marks a filesystem, and makes sure that this has worked with a directory
// on it.
func (f *fanotify) listen(w *whole, dir int) error {
	if err := f.mark(w); err != nil {
		return err
	}
	return f.prove(w, dir)
}

func (f *fanotify) mark(w *whole) error {
	err := unix.FanotifyMark(f.queue, unix.FAN_MARK_ADD|unix.FAN_MARK_FILESYSTEM, fanotifyMask, w.fd, "")
	switch err {
	case nil:
		return nil
	case unix.EPERM:
		return errNotAdmin
	case unix.EXDEV:
		return errors.New("the filesystem cannot be watched as a whole, or not beside others")
	case unix.EOPNOTSUPP, unix.ENODEV:
		return errors.New("the filesystem gives its directories no handles; an overlay does with the mount option nfs_export=on")
	case unix.ENOSPC:
		return errors.New("too many marks are in use; raise the sysctl fs.fanotify.max_user_marks")
	}
	return fmt.Errorf("mark the filesystem: %w", err)
}

// marked reports whether a filesystem is marked. That ends when it is unmounted
// everywhere, and does not begin anew with the next mount.
func (f *fanotify) marked(w *whole) bool {
	return unix.FanotifyMark(f.queue, unix.FAN_MARK_REMOVE|unix.FAN_MARK_FILESYSTEM, unix.FAN_OPEN, w.fd, "") == nil
}

// span marks the filesystems that were not marked yet. Those that are gone took their
// marks with them, or are mounted elsewhere, and their events lead nowhere. What is heard meanwhile is forgotten if something was marked.
func (f *fanotify) span(each visits) (news bool, err error) {
	was := f.handles.ways
	f.handles.ways = map[fsid]*way{}
	err = each(func(p place, dir *localfs.Dir) error {
		fresh, err := f.reach(p, dir, was)
		if err != nil {
			return fmt.Errorf("%s in the primary: %w", p.path, err)
		}
		news = news || fresh
		return nil
	})
	for id, old := range was {
		if _, still := f.handles.ways[id]; still {
			continue
		}
		news = true
		if err != nil {
			f.handles.ways[id] = old // for all that is known it is still there
		}
	}
	return news, err
}

// reach finds a way to the filesystem of an open directory, where was is how it was
// reached before.
func (f *fanotify) reach(p place, dir *localfs.Dir, was map[fsid]*way) (fresh bool, err error) {
	w, err := openWhole(dir.FD())
	if err != nil {
		return false, err
	}
	defer w.close()
	dev, known := f.ownDev, w.id == f.own
	if other, ok := f.handles.ways[w.id]; ok {
		dev, known = other.dev, true
	}
	if known {
		if dev != w.dev {
			return false, errors.New("its filesystem has the same UUID as another one in the primary, as copies have; give one of them a new UUID")
		}
		return false, nil
	}
	f.handles.ways[w.id] = &way{dev: w.dev, place: p, fd: -1}
	if old, ok := was[w.id]; ok && old.dev == w.dev && f.marked(w) {
		return false, nil
	}
	// Its device may be another than last time, and with that all identities.
	clear(f.handles.known)
	return true, f.listen(w, dir.FD())
}

// proofTime is how long an event may take that the kernel queues at once.
const proofTime = time.Second

// prove opens a directory on a filesystem and waits for the event of that, by which
// the directory must be found again.
func (f *fanotify) prove(w *whole, dir int) error {
	const where = unix.FAN_MARK_FILESYSTEM
	if err := unix.FanotifyMark(f.queue, unix.FAN_MARK_ADD|where, proofMask, w.fd, ""); err != nil {
		return fmt.Errorf("try the mark: %w", err)
	}
	self, err := f.root.StatFD(dir)
	if err != nil {
		return err
	}
	fd, err := unix.Openat(dir, ".", wholeFlags, 0)
	if err != nil {
		return fmt.Errorf("open a directory to try the mark: %w", err)
	}
	unix.Close(fd)
	seen, lost := false, false
	for end := time.Now().Add(proofTime); !seen && time.Now().Before(end); {
		poll := []unix.PollFd{{Fd: int32(f.queue), Events: unix.POLLIN}}
		if _, err := unix.Poll(poll, int(proofTime.Milliseconds())); err != nil && err != unix.EINTR {
			return fmt.Errorf("wait for an event: %w", err)
		}
		missed, err := f.hear(func(id sdk.FileID) bool { seen = seen || id == self.ID; return true })
		if err != nil {
			return err
		}
		lost = lost || missed
	}
	if err := unix.FanotifyMark(f.queue, unix.FAN_MARK_REMOVE|where, unix.FAN_OPEN, w.fd, ""); err != nil {
		return fmt.Errorf("end the trial of the mark: %w", err)
	}
	switch {
	case seen:
		return nil
	case lost:
		return errors.New("events were lost or cannot be followed to their directories, which takes the capability CAP_DAC_READ_SEARCH")
	}
	return errors.New("no event came of opening the directory")
}

func (f *fanotify) fd() int { return f.queue }

func (f *fanotify) hear(tell func(sdk.FileID) bool) (lost bool, err error) {
	defer f.handles.rest()
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
