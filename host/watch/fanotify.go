package watch

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/localfs"
)

// fanotifyMask is all that can change what a listing shows. Events carry the
// directory and nothing else, so that the kernel makes one of all that happened in
// a directory since the queue was last read.
const fanotifyMask = unix.FAN_CREATE | unix.FAN_DELETE | unix.FAN_MODIFY | unix.FAN_CLOSE_WRITE |
	unix.FAN_ATTRIB | unix.FAN_MOVED_FROM | unix.FAN_MOVED_TO | unix.FAN_ONDIR

// proofMask is asked for while the mark is tried: opening a directory writes
// nothing.
const proofMask = unix.FAN_OPEN | unix.FAN_ONDIR

// fanotify hears of a whole filesystem.
type fanotify struct {
	queue   int
	root    *localfs.Root
	handles handles
	buf     []byte
}

var _ ear = (*fanotify)(nil)

// openFanotify marks the filesystem of root, and makes sure that an event of
// root comes through.
func openFanotify(root *localfs.Root) (*fanotify, error) {
	queue, err := unix.FanotifyInit(unix.FAN_CLASS_NOTIF|unix.FAN_REPORT_DIR_FID|unix.FAN_CLOEXEC|unix.FAN_NONBLOCK, unix.O_RDONLY|unix.O_CLOEXEC)
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
	f := &fanotify{queue: queue, root: root, handles: newHandles(root), buf: make([]byte, eventBuffer)}
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
		return errors.New("a whole filesystem may only be watched with the capability CAP_SYS_ADMIN")
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
		return eachEvent(b, func(mask uint64, dir handle) {
			if mask&unix.FAN_Q_OVERFLOW != 0 {
				lost = true
				return
			}
			if dir.data == nil {
				return // of nothing that is in a directory
			}
			switch id, err := f.handles.resolve(dir); {
			case err == nil:
				tell(id)
			case err == unix.ESTALE || err == unix.ENOENT:
				// Gone: the one that it was in tells.
			default:
				lost = true
			}
		})
	})
	if err != nil {
		err = fmt.Errorf("read events: %w", err)
	}
	return lost, err
}

// watch has nothing to do: what is made on the filesystem is marked already.
func (f *fanotify) watch([]sdk.FileID, []sdk.Path) ([]sdk.FileID, error) { return nil, nil }

func (f *fanotify) close() { unix.Close(f.queue) }
