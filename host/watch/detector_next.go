package watch

import (
	"context"
	"time"

	"github.com/gsyncd/gsyncd-host/host/marker"
	"github.com/gsyncd/gsyncd-host/sdk"
)

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
