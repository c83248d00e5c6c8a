package mover

import (
	"sync"
	"syscall"
	"time"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// fullDisk remembers that the secondary had no room for a file, so that others
// as large fail for a while without filling it once more.
type fullDisk struct {
	mu    sync.Mutex
	at    time.Time
	size  int64 // of the smallest file that had no room
	errno syscall.Errno
}

const (
	// fullFor is how long a full disk is believed to stay full.
	fullFor  = 2 * time.Second
	notTried = "not tried, the secondary is full"
)

func (f *fullDisk) note(r *Result) {
	if r.Err == nil || r.Err.Kind != sdk.KindNoSpace || r.Err.Msg == notTried {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if now := time.Now(); now.Sub(f.at) > fullFor || r.Job.Entry.Size < f.size {
		f.at, f.size, f.errno = now, r.Job.Entry.Size, r.Err.Errno
	}
}

// forget gives the secondary a new chance: who calls Run again may have made room.
func (f *fullDisk) forget() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.at = time.Time{}
}

// err returns why a file is not to be tried, or nil.
func (f *fullDisk) err(j *Job) *sdk.Error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.at.IsZero() || j.Entry.Size < f.size || time.Since(f.at) > fullFor {
		return nil
	}
	return &sdk.Error{Kind: sdk.KindNoSpace, Op: "write", Path: j.Path, Errno: f.errno, Msg: notTried}
}
