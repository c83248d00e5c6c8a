package marker

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gsyncd/gsyncd-host/sdk"
)

func TestNativeDetector(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := newFakeFS(t)
		fs.natively()
		d := NewNativeDetector(fs, NativePace{})
		next := func(what string, want Hint, after time.Duration) {
			t.Helper()
			start := time.Now()
			h, err := d.Next(t.Context())
			if got := time.Since(start); err != nil || h.All != want.All || h.Sweep != want.Sweep || got != after {
				t.Fatalf("%s: %+v, %v after %v, not %v", what, h, err, got, after)
			}
		}
		all := Hint{All: true}
		done := func(p Pass, cpu time.Duration) {
			if p.Native.IsZero() {
				p.Native = fs.root.native
			}
			d.Done(p, cpu)
		}
		next("first", all, 0)
		done(Pass{Swept: true}, time.Minute)
		next("quiet", all, DefaultEvery)
		d.Done(Pass{Swept: true}, time.Minute)
		next("nothing was ever marked, and each look is a sweep", all, 49*time.Minute)
		done(Pass{}, time.Millisecond)
		fs.mark(sdk.Root)
		next("marked", all, DefaultPoll)
		done(Pass{Changed: true}, time.Second)
		fs.mark(sdk.Root)
		next("marked, while looks cost", all, 3*time.Second)
		done(Pass{Racy: true, Beacon: sdk.Beacon{Window: 2 * time.Second}}, time.Millisecond)
		next("young", all, 2*DefaultPoll) // the first poll after the window
		done(Pass{Racy: true, Beacon: sdk.Beacon{Window: 2 * time.Second}}, time.Millisecond)
		fs.mark(sdk.Root)
		next("young, and something new is marked", all, DefaultPoll)
		done(Pass{}, time.Millisecond)
		fs.statErr = &sdk.Error{Kind: sdk.KindTransient, Op: "stat"}
		next("poll fails", all, DefaultPoll)
		d.Done(Pass{}, time.Millisecond)
		fs.statErr = nil
		fs.mark(sdk.Root)
		next("marked", all, DefaultPoll)
		// The pass failed and took nothing over: the same value is not told again.
		d.Done(Pass{}, time.Millisecond)
		next("after a pass that failed", all, DefaultEvery)
		done(Pass{Swept: true}, time.Millisecond)
		next("after a sweep", all, DefaultEvery)

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		done(Pass{}, time.Millisecond)
		if _, err := d.Next(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error: %v", err)
		}
		if _, err := d.Next(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error of an ended context: %v", err)
		}
	})
}
