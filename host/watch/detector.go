package watch

import (
	"context"
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

// remounted looks whether other filesystems are mounted at the primary. Those in the
// tree are heard of, if it goes on there, before all is looked at. told says that the
// kernel told of a change of the table.
func (d *Detector) remounted(told bool) error {
	d.hearing.Lock()
	defer d.hearing.Unlock()
	select {
	case <-d.ended:
		return nil
	default:
	}
	changed, err := d.mounts.changed()
	if err != nil {
		return err
	}
	if !changed && !told && d.restless.IsZero() {
		return nil
	}
	// Should one have come in the place of another, the table may be as it was.
	news, err := d.span()
	if err != nil {
		return err
	}
	if changed || news {
		d.log.Debug("other filesystems are mounted at the primary")
		d.tell(nil, true)
	}
	return nil
}

// spanTries is how often mounts may be found moved before that is left to the next
// look, and spanPatience for how long before the ear cannot go on.
const (
	spanTries    = 5
	spanPatience = time.Minute
)

// span has the ear hear of what is mounted in the tree, if that goes on there. news
// says that events may have been missed. So it does while mounts come and go faster
// than they can be opened: each look that this leads to is followed by another try.
func (d *Detector) span() (news bool, err error) {
	if !d.crosses {
		return false, nil
	}
	for range spanTries {
		fresh, err := d.spanOnce()
		if !errors.Is(err, errMoved) {
			news = news || fresh || !d.restless.IsZero()
			d.restless = time.Time{}
			return news, err
		}
		news = true
		if _, err := d.mounts.changed(); err != nil {
			return news, err
		}
	}
	now := time.Now()
	if d.restless.IsZero() {
		d.restless = now
	}
	if now.Sub(d.restless) > spanPatience {
		return news, errMoved
	}
	return news, nil
}

func (d *Detector) spanOnce() (news bool, err error) {
	places, err := d.mounts.places()
	if err != nil {
		return false, err
	}
	return d.ear.span(func(f func(place, *localfs.Dir) error) error {
		for _, p := range places {
			if err := d.visit(p, f); err != nil {
				return err
			}
		}
		return nil
	})
}

// visit calls f with a place while that is open.
func (d *Detector) visit(p place, f func(place, *localfs.Dir) error) error {
	dir, err := p.open(d.root)
	if sdk.KindOf(err) == sdk.KindPermission {
		return nil // nor can it be listed; who needs the right has inotify, which goes by lists
	}
	if err != nil {
		return err
	}
	defer dir.Close()
	return f(p, dir)
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

// Done tells of a pass that just ended, as [marker.ScanDetector.Done] does.
func (d *Detector) Done(p marker.Pass, _ time.Duration) {
	d.ear.ended(d.hear)
	if d.crosses {
		// A directory in which something is mounted may have been renamed, into the tree as
		// well, so that all of it was listed. No event tells of such a mount.
		if err := d.remounted(false); err != nil {
			d.fail(err)
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	now := time.Now()
	d.passes++
	d.newer = d.newer || p.Changed
	d.relook = time.Time{}
	if p.Racy {
		// Sooner than this the same entries would be too young again. They are
		// listed by every pass until they are old enough.
		d.relook = now.Add(p.Beacon.Window)
	}
	if d.past == nil || !d.past.each {
		d.beat = now.Add(d.pace.Every)
	}
}

// Next waits until a look is due.
func (d *Detector) Next(ctx context.Context) (marker.Hint, error) {
	d.mu.Lock()
	if now := time.Now(); !d.began.IsZero() {
		d.budget.spend(now, now.Sub(d.began))
		d.began, d.looked = time.Time{}, now
	}
	d.mu.Unlock()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		if err := ctx.Err(); err != nil {
			return marker.Hint{}, err
		}
		d.recall(ctx)
		d.mu.Lock()
		if d.deaf {
			d.mu.Unlock()
			return marker.Hint{}, errDeaf
		}
		now := time.Now()
		due := d.due()
		if !now.Before(due) {
			hint := d.take(now)
			d.mu.Unlock()
			return hint, nil
		}
		if d.past != nil && !d.past.committing && d.past.next.After(now) {
			due = earlier(due, d.past.next)
		}
		d.mu.Unlock()
		timer.Reset(due.Sub(now))
		select {
		case <-ctx.Done():
		case <-d.wake:
		case <-timer.C:
		}
	}
}

// due is when the next look is.
func (d *Detector) due() time.Time {
	due := d.beat
	if len(d.told) > 0 || d.lost {
		due = earlier(due, earlier(d.last.Add(settleTime), d.first.Add(settleLimit)))
	}
	if !d.relook.IsZero() {
		due = earlier(due, d.relook)
	}
	if ready := d.budget.ready(); due.Before(ready) {
		due = ready
	}
	if next := d.looked.Add(d.pace.Interval); due.Before(next) {
		due = next
	}
	if d.past != nil {
		due = d.past.due(due)
	}
	return due
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// take makes the hint of what was told.
func (d *Detector) take(now time.Time) marker.Hint {
	hint := marker.Hint{All: d.lost}
	for _, from := range []map[sdk.FileID]struct{}{d.told, d.later} {
		for id := range from {
			hint.Dirs = append(hint.Dirs, id)
		}
	}
	d.told, d.later = map[sdk.FileID]struct{}{}, map[sdk.FileID]struct{}{}
	d.lost, d.relook, d.began = false, time.Time{}, now
	if d.past != nil {
		d.newer = !d.past.add(&hint, d.passes) && d.newer
	}
	return hint
}

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
