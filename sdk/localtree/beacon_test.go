package localtree

import (
	"context"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/localfs"
)

// TestClockOfMachine: a disk that stalls while the clock is tried makes a stamp look
// old, and the machine's clock is the filesystem's for all that. One of another
// clock never fits.
func TestClockOfMachine(t *testing.T) {
	const slack = int64(fineWindow / 2)
	now := sdk.Time{Sec: 1000}
	for _, c := range []struct {
		name string
		ages []int64 // of the stamps, in nanoseconds; the last goes on
		want bool
	}{
		{"at once", []int64{0}, true},
		{"a tick", []int64{slack}, true},
		{"stalls", []int64{60e9, 60e9, slack / 2}, true},
		{"behind", []int64{slack + 1}, false},
		{"ahead", []int64{-1}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := beacon{window: fineWindow}
			tries := 0
			touch := func() (sdk.Time, error) {
				age := c.ages[min(tries, len(c.ages)-1)]
				tries++
				return now.Add(-age), nil
			}
			if got := b.ofMachine(touch, func() (sdk.Time, error) { return now, nil }); got != c.want {
				t.Errorf("%v after %d tries", got, tries)
			}
		})
	}
}

// TestQuick: a clock is quick if it moves again and again, and not if the end of a long
// tick happens to fall into the measurement.
func TestQuick(t *testing.T) {
	for _, c := range []struct {
		name string
		at   func(n int) int64 // the stamp of the nth touch
		want bool
	}{
		{"each time", func(n int) int64 { return int64(n) }, true},
		{"now and then", func(n int) int64 { return int64(n / 10) }, true},
		{"once", func(n int) int64 { return int64(min(n, 1)) }, false},
		{"never", func(int) int64 { return 0 }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := -1
			if got := quick(func() (sdk.Time, error) { n++; return sdk.Time{Sec: c.at(n)}, nil }); got != c.want {
				t.Errorf("%v after %d touches", got, n+1)
			}
		})
	}
	for fails := range 3 {
		n := 0
		if quick(func() (sdk.Time, error) {
			if n++; n > fails {
				return sdk.Time{}, sdk.NewError("touch", "", unix.EIO)
			}
			return sdk.Time{Sec: int64(n)}, nil
		}) {
			t.Errorf("quick, with an error at touch %d", fails+1)
		}
	}
}

// TestStillBeacon: a source says that reading its clock touches nothing where it
// reads the machine's, and nowhere else.
func TestStillBeacon(t *testing.T) {
	dir := t.TempDir()
	root, err := localfs.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	fs, err := root.Filesystem()
	if err != nil {
		t.Fatal(err)
	}
	given := func(context.Context) (sdk.Beacon, error) { return sdk.Beacon{}, nil }
	for _, c := range []struct {
		name string
		o    Options
		want bool
	}{
		{"machine's", Options{}, fs.Local()},
		{"given", Options{Beacon: given}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			src, err := OpenSource(dir, c.o)
			if err != nil {
				t.Fatal(err)
			}
			defer src.Close()
			if got := src.Info().Features&sdk.StillBeacon != 0; got != c.want {
				t.Errorf("on %s: %v", fs.Type, got)
			}
		})
	}
}
