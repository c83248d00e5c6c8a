package watch

import (
	"errors"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/gsyncd/gsyncd-host/host/marker"
	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/localfs"
)

// errDeaf says that a detector does not hear any more.
var errDeaf = errors.New("the events of the primary failed")

// Detector asks for looks at the directories in which something happened, by one kind
// of events. The first look is at everything, or at what a filesystem with a history
// tells. Should the events fail, Next says so. Its methods may be called concurrently,
// Next by one goroutine at a time.
type Detector struct {
	name string
	// without says by what events it does not hear, if it does without any.
	without *Refusal
	root    *localfs.Root
	crosses bool // the tree goes on in what is mounted in it
	ear     ear
	mounts  *mounts
	past    *history // nil: the filesystem has none
	has     func(sdk.FileID) bool
	pace    Pace
	log     *slog.Logger
	deafed  func(error) // told once when the ear fails, before Next says so
	failing sync.Once

	stop   [2]int // a pipe: closing the second end ends listen
	ending sync.Once
	ended  chan struct{}
	closed sync.Once
	wake   chan struct{}

	hearing  sync.Mutex // held while ear and mounts are used by the one or the other
	restless time.Time  // since when mounts were never found where the table has them; zero: they were

	mu     sync.Mutex
	told   map[sdk.FileID]struct{}
	later  map[sdk.FileID]struct{} // to be listed once more, without haste
	lost   bool                    // everything is to be looked at
	missed bool                    // events, of which the history is to tell
	passes uint64                  // that ended
	newer  bool                    // they found what the last point is too old for
	first  time.Time               // when the first of told came, or lost
	last   time.Time               // and the last
	budget budget
	began  time.Time // the look under way; zero: none
	looked time.Time // when the last one had ended
	relook time.Time // when what was too young is to be looked at again; zero: never
	beat   time.Time // when a look is due whatever happens
	deaf   bool
}

var _ marker.Detector = (*Detector)(nil)

// Watch is to be called before directories are listed, with their identities and
// paths.
func (d *Detector) Watch(ids []sdk.FileID, paths []sdk.Path) {
	d.mu.Lock()
	deaf := d.deaf
	d.mu.Unlock()
	if deaf {
		return
	}
	again, err := d.ear.watch(ids, paths)
	if err != nil {
		d.fail(err)
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, id := range again {
		d.later[id] = struct{}{}
	}
}

// listen reads events until the detector is closed or its ear fails.
func (d *Detector) listen() {
	defer func() {
		d.hearing.Lock()
		defer d.hearing.Unlock()
		d.ear.close()
		d.mounts.close()
		close(d.ended)
	}()
	poll := []unix.PollFd{
		{Fd: int32(d.stop[0]), Events: unix.POLLIN},
		{Fd: int32(d.ear.fd()), Events: unix.POLLIN},
		{Fd: int32(d.mounts.fd), Events: unix.POLLPRI},
	}
	rest := gatherTime
	for {
		if _, err := unix.Poll(poll, -1); err != nil && err != unix.EINTR {
			d.fail(err)
			return
		}
		if poll[0].Revents != 0 {
			return
		}
		if poll[2].Revents&(unix.POLLPRI|unix.POLLERR) != 0 {
			if err := d.remounted(true); err != nil {
				d.fail(err)
				return
			}
		}
		if poll[1].Revents == 0 {
			continue
		}
		ours := false
		d.hearing.Lock()
		lost, err := d.ear.hear(func(id sdk.FileID) bool {
			known := d.hear(id)
			ours = ours || known
			return known
		})
		d.hearing.Unlock()
		if err != nil {
			d.fail(err)
			return
		}
		if lost {
			d.miss()
		}
		if rest = min(2*rest, foreignTime); ours || lost {
			rest = gatherTime
		}
		if _, err := unix.Poll(poll[:1], int(rest.Milliseconds())); err != nil && err != unix.EINTR {
			d.fail(err)
			return
		}
	}
}

// hear takes an event of a directory.
func (d *Detector) hear(id sdk.FileID) bool {
	known := d.has(id)
	if known {
		d.tell(&id, false)
	}
	return known
}

// tell notes that something happened in a directory, or that events were lost.
func (d *Detector) tell(id *sdk.FileID, lost bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := time.Now()
	if len(d.told) == 0 && !d.lost {
		d.first = now
		defer d.rouse()
	}
	d.last = now
	d.lost = d.lost || lost
	if id != nil {
		d.told[*id] = struct{}{}
	}
}

// miss notes that events were lost.
func (d *Detector) miss() {
	if d.past == nil {
		d.log.Debug("events of the primary were lost, all of it is looked at")
		d.tell(nil, true)
		return
	}
	d.log.Debug("events of the primary were lost, its filesystem is asked")
	d.mu.Lock()
	defer d.mu.Unlock()
	d.missed = true
	d.rouse()
}

func (d *Detector) rouse() {
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

// fail ends the use of the ear.
func (d *Detector) fail(err error) {
	d.failing.Do(func() {
		d.deafed(err)
		d.mu.Lock()
		d.deaf = true
		d.mu.Unlock()
		d.hush()
		d.rouse()
	})
}

// hush ends the listening.
func (d *Detector) hush() { d.ending.Do(func() { unix.Close(d.stop[1]) }) }

// Close ends all use. It may be called twice.
func (d *Detector) Close() {
	d.hush()
	<-d.ended
	d.closed.Do(func() {
		unix.Close(d.stop[0])
		d.root.Close()
		if d.past != nil {
			d.past.volume.release()
		}
	})
}
