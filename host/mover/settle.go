package mover

import (
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/localfs"
)

// settler makes the change time of files trustworthy. A store through a mapping
// moves no time while its page waits to be written back; once it was, the next
// store does. What has not changed for young has been written back by itself.
// Younger files are written back one by one, and if there are many, by one sync
// of their filesystem.
type settler struct {
	root *localfs.Root

	mu      sync.Mutex
	settled time.Time // files that changed last before this have been written back
	synced  time.Time
	single  int // files written back one by one since then
}

const (
	young = 60 * time.Second
	// slack covers clocks that differ and change times by the second.
	slack = 2 * time.Second
	// manyYoung is from how many files on one sync of all is cheaper.
	manyYoung = 32
)

// settle writes f back if its change time is young, and looks at it again,
// until two looks in a row agree: a store in between would leave a page waiting.
func (s *settler) settle(f *os.File, e *sdk.Entry) error {
	for range attempts {
		changed := time.Unix(e.Ctime.Sec, int64(e.Ctime.Nsec))
		now := time.Now()
		if now.Sub(changed) > young {
			return nil
		}
		if !s.all(changed, now) {
			const all = unix.SYNC_FILE_RANGE_WAIT_BEFORE | unix.SYNC_FILE_RANGE_WRITE | unix.SYNC_FILE_RANGE_WAIT_AFTER
			// Where that does not exist the look afterwards has to do.
			_ = unix.SyncFileRange(int(f.Fd()), 0, 0, all)
		}
		// A write moves the time first and the data after. This waits for one
		// that is under way, on filesystems that lock the file for both.
		_, _ = unix.Seek(int(f.Fd()), 0, unix.SEEK_DATA)
		again, err := s.root.StatFile(f)
		if err != nil {
			return err
		}
		same := sameVersion(e, &again)
		*e = again
		if same {
			return nil
		}
	}
	return nil // it is being written to; the look afterwards will show that
}

// all reports whether files that changed last at the given time have been
// written back by a sync, which it calls when it is worth it.
func (s *settler) all(changed, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if changed.Before(s.settled) {
		return true
	}
	s.single++
	if s.single < manyYoung || now.Sub(s.synced) < slack || changed.After(now.Add(-slack)) {
		return false
	}
	s.single, s.synced = 0, now
	if s.root.Sync() != nil {
		return false
	}
	s.settled = now.Add(-slack)
	return true
}
