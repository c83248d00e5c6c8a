package marker

import (
	"context"
	"sync"
	"time"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// Defaults of NativePace. A poll takes a millisecond, of several processes: half
// a pause is the delay it brings, and a thousandth of a core what it costs.
const (
	DefaultPoll  = 1250 * time.Millisecond
	DefaultEvery = 30 * time.Second
)

// NativePace bounds what looking at a source with native xtimes costs. Zero
// fields take their defaults, and shares are cut to at most 1.
type NativePace struct {
	// Interval is the pause between two polls of the root's native xtime, and the
	// shortest between two looks.
	Interval time.Duration
	// Every is the longest pause between two looks while nothing is marked.
	Every time.Duration
	// Share is the part of one core that passes through the whole tree may take in
	// the long run, and looks while nothing changes.
	Share float64
	// Busy is the part of one core that looks may take while something changes.
	Busy float64
}

// NativeDetector asks for a look when the root's native xtime is not the one that
// the marker knows: a poll is a single call. Its methods may be called
// concurrently.
type NativeDetector struct {
	src  sdk.Source
	pace NativePace

	mu       sync.Mutex
	looked   bool            // a look was asked for
	known    sdk.NativeXTime // what the last pass took over
	told     sdk.NativeXTime // what the last hint was about
	notUntil time.Time       // the next look
	beat     time.Time       // when a look is due whatever a poll says
}

var _ Detector = (*NativeDetector)(nil)

// NewNativeDetector returns a detector whose first look is due at once.
func NewNativeDetector(src sdk.Source, pace NativePace) *NativeDetector {
	if pace.Interval <= 0 {
		pace.Interval = DefaultPoll
	}
	if pace.Every <= 0 {
		pace.Every = DefaultEvery
	}
	shares := NewScanDetector(ScanPace{Share: pace.Share, Busy: pace.Busy}).pace
	pace.Share, pace.Busy = shares.Share, shares.Busy
	return &NativeDetector{src: src, pace: pace}
}

// Done tells of a pass that just ended, as [ScanDetector.Done] does, also of one
// that ended with an error.
func (d *NativeDetector) Done(p Pass, cpu time.Duration) {
	pause := ScanPace{Interval: d.pace.Interval, Share: d.pace.Share, Busy: d.pace.Busy}.rest(p, cpu)
	now := time.Now()
	d.mu.Lock()
	defer d.mu.Unlock()
	if p.Swept && !p.Native.IsZero() {
		pause = d.pace.Interval // the next look is a partial one again
	}
	d.beat = now.Add(max(pause, d.pace.Every))
	if p.Racy {
		// Sooner than this the same entries would be too young again. What is marked
		// meanwhile need not wait for that.
		d.beat = now.Add(max(pause, p.Beacon.Window))
	}
	d.notUntil = now.Add(pause)
	if !p.Native.IsZero() {
		d.known = p.Native
	}
}

// Events is false: hints do not tell where something happened.
func (d *NativeDetector) Events() bool { return false }

// Next polls until a look is due. A poll that fails makes one due as well: the
// look meets what is wrong, and whoever asked for it decides.
func (d *NativeDetector) Next(ctx context.Context) (Hint, error) {
	if err := ctx.Err(); err != nil {
		return Hint{}, err
	}
	d.mu.Lock()
	first, wait := !d.looked, time.Until(d.notUntil)
	d.looked = true
	d.mu.Unlock()
	if first && wait <= 0 {
		return Hint{All: true}, nil
	}
	t := time.NewTimer(max(wait, d.pace.Interval))
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return Hint{}, ctx.Err()
		case <-t.C:
		}
		found, err := d.src.Stat(ctx, []sdk.Path{sdk.Root}, sdk.FieldNative)
		if ctx.Err() != nil {
			return Hint{}, ctx.Err()
		}
		failed := err != nil || len(found) != 1 || found[0].Err != nil
		var x sdk.NativeXTime
		if !failed {
			x = found[0].Native
		}
		if hint, due := d.judge(x, failed); due {
			return hint, nil
		}
		t.Reset(d.pace.Interval)
	}
}

// judge decides on a poll's answer.
func (d *NativeDetector) judge(x sdk.NativeXTime, failed bool) (Hint, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := time.Now()
	switch {
	case failed:
	case x != d.known && x != d.told || !now.Before(d.beat):
	default:
		return Hint{}, false
	}
	if !failed {
		d.told = x
	}
	return Hint{All: true}, true
}
