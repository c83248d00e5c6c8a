package watch

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/gsyncd/gsyncd-host/host/marker"
	"github.com/gsyncd/gsyncd-host/sdk"
)

// paced is a detector without an ear.
func paced(p Pace) *Detector {
	d := &Detector{ear: &inotify{}, pace: p.withDefaults(), wake: make(chan struct{}, 1), has: func(sdk.FileID) bool { return true },
		told: map[sdk.FileID]struct{}{}, later: map[sdk.FileID]struct{}{}}
	d.budget.share = d.pace.Busy
	d.beat = time.Now().Add(d.pace.Every)
	return d
}

// next waits for a hint and tells how long that took.
func next(t *testing.T, d *Detector) (marker.Hint, time.Duration) {
	t.Helper()
	began := time.Now()
	hint, err := d.Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return hint, time.Since(began)
}

// A single change in a quiet tree leads to a look at once; what comes together is
// one look; what never ends is looked at all the same.
func TestQuick(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := paced(Pace{})
		d.hear(sdk.FileID{Ino: 7})
		if hint, took := next(t, d); took != settleTime || len(hint.Dirs) != 1 || hint.All {
			t.Errorf("%+v after %v", hint, took)
		}
		go func() {
			for i := range 1000 {
				d.hear(sdk.FileID{Ino: uint64(i % 50)})
				time.Sleep(time.Millisecond) //nolint:forbidigo // on a clock of the test's own
			}
		}()
		if hint, took := next(t, d); took != settleLimit || len(hint.Dirs) < 15 {
			t.Errorf("%d directories after %v", len(hint.Dirs), took)
		}
		time.Sleep(2 * time.Second) //nolint:forbidigo // on a clock of the test's own
	})
}

// While changes go on and on, looks keep to their share of the time.
func TestBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const turn = 50 * time.Millisecond
		d := paced(Pace{Busy: 0.25, Every: 24 * time.Hour})
		began, looks := time.Now(), 0
		for time.Since(began) < time.Minute {
			d.hear(sdk.FileID{Ino: 7})
			next(t, d)
			looks++
			time.Sleep(turn) //nolint:forbidigo // on a clock of the test's own
		}
		if share := float64(looks) * float64(turn) / float64(time.Since(began)); share < 0.23 || share > 0.27 {
			t.Errorf("%d looks, %.2f of the time", looks, share)
		}
		// And after a while of rest it is quick again.
		go func() {
			time.Sleep(2 * burst) //nolint:forbidigo // on a clock of the test's own
			d.hear(sdk.FileID{Ino: 7})
		}()
		if _, took := next(t, d); took != 2*burst+settleTime {
			t.Errorf("after a rest of %v it took until %v", 2*burst, took)
		}
		// A long turn does not lead to a long rest.
		time.Sleep(time.Hour) //nolint:forbidigo // on a clock of the test's own
		d.hear(sdk.FileID{Ino: 7})
		if _, took := next(t, d); took > maxRest {
			t.Errorf("after a long turn it took %v", took)
		}
	})
}

// What was too young is looked at again, once it is old enough, and that alone.
func TestAgainAfterTheWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const window = 2 * time.Second
		d := paced(Pace{})
		d.Done(marker.Pass{Racy: true, Beacon: sdk.Beacon{Window: window}}, 0)
		if hint, took := next(t, d); took != window || hint.All || len(hint.Dirs) > 0 {
			t.Errorf("%+v after %v", hint, took)
		}
		d.Done(marker.Pass{}, 0)
		if hint, took := next(t, d); took != DefaultEvery || hint.All || len(hint.Dirs) > 0 {
			t.Errorf("%+v after %v", hint, took)
		}
	})
}

func TestInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := paced(Pace{Interval: time.Minute, Every: time.Hour})
		d.hear(sdk.FileID{Ino: 7})
		next(t, d)
		d.hear(sdk.FileID{Ino: 7})
		if _, took := next(t, d); took != time.Minute {
			t.Errorf("a look after %v", took)
		}
	})
}

// Where the tree is scanned, looks in between, at what is in doubt, are no scans, and do
// not put off the next one.
func TestScans(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, err := Open(t.Context(), Options{Kind: Scan, Scan: marker.ScanPace{Interval: time.Minute}})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		c.Done(marker.Pass{Swept: true}, 0)
		for range 5 {
			time.Sleep(10 * time.Second) //nolint:forbidigo // on a clock of the test's own
			c.Done(marker.Pass{}, 0)
		}
		began := time.Now()
		if hint, err := c.Next(t.Context()); err != nil || !hint.All || time.Since(began) != 10*time.Second {
			t.Errorf("%+v after %v, %v", hint, time.Since(began), err)
		}
	})
}

// What fails again and again is tried less and less often, and what ran well for long at
// once.
func TestBar(t *testing.T) {
	now := time.Now()
	var b bar
	for i, want := range []time.Duration{0, 1, 2, 4, 8, 16, 32, 60, 60} {
		took := now
		now = now.Add(time.Second)
		b.fell(now, took)
		if now = now.Add(want * time.Minute); !b.lifted(now) || want > 0 && b.lifted(now.Add(-1)) {
			t.Errorf("failure %d: not %v minutes", i+1, int(want))
		}
	}
	took := now
	now = now.Add(barMost)
	if b.fell(now, took); !b.lifted(now) {
		t.Error("it ran well for long")
	}
}
