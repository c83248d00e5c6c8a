package marker

import (
	"context"
	"sync"
	"time"
)

// Defaults of ScanPace.
const (
	DefaultShare    = 0.02
	DefaultBusy     = 0.25
	DefaultInterval = time.Second
)

// ScanPace bounds what scanning costs. Zero fields take their defaults, and
// shares are cut to at most 1.
type ScanPace struct {
	// Share is the part of one core that scans may take while nothing changes.
	Share float64
	// Busy is the part of one core that they may take while something does.
	Busy float64
	// Interval is the shortest pause between two passes.
	Interval time.Duration
}

// ScanDetector asks for a look at everything after a pause long enough that
// looking stays cheap. Its methods may be called concurrently.
type ScanDetector struct {
	pace ScanPace

	mu  sync.Mutex
	due time.Time // zero: at once
}

var _ Detector = (*ScanDetector)(nil)

// NewScanDetector returns a detector whose first look is due at once.
func NewScanDetector(pace ScanPace) *ScanDetector {
	if pace.Share <= 0 {
		pace.Share = DefaultShare
	}
	if pace.Busy <= 0 {
		pace.Busy = DefaultBusy
	}
	if pace.Interval <= 0 {
		pace.Interval = DefaultInterval
	}
	pace.Share = min(pace.Share, 1)
	pace.Busy = min(max(pace.Busy, pace.Share), 1)
	return &ScanDetector{pace: pace}
}

// rest is the pause after a pass by which looks take no more than their share.
func (s ScanPace) rest(p Pass, cpu time.Duration) time.Duration {
	if cpu <= 0 {
		cpu = 2 * p.Took
	}
	share := s.Share
	if p.Changed || p.Racy {
		share = s.Busy
	}
	return max(time.Duration(float64(cpu)*(1/share-1)), s.Interval)
}

// Done tells of a pass that just ended, and so sets when the next one is due.
// cpu is what the pass cost in processor time, in all processes together. With
// cpu <= 0 it is taken to be twice p.Took: the host and the driver's process
// take turns on a scan and keep at most two cores busy, so that is never too
// little. Call it after a pass that ended with an error too.
func (d *ScanDetector) Done(p Pass, cpu time.Duration) {
	pause := d.pace.rest(p, cpu)
	if p.Racy {
		// Sooner than this the same entries would be too young again.
		pause = max(pause, p.Beacon.Window)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.due = time.Now().Add(pause)
}

// Events is false: hints do not tell where something happened.
func (d *ScanDetector) Events() bool { return false }

// Due is when the next look is due; zero means at once.
func (d *ScanDetector) Due() time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.due
}

// Next waits until a look is due and asks for one at everything.
func (d *ScanDetector) Next(ctx context.Context) (Hint, error) {
	if err := ctx.Err(); err != nil {
		return Hint{}, err
	}
	if wait := time.Until(d.Due()); wait > 0 {
		t := time.NewTimer(wait)
		defer t.Stop()
		select {
		case <-ctx.Done():
			return Hint{}, ctx.Err()
		case <-t.C:
		}
	}
	return Hint{All: true}, nil
}
