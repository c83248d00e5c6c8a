package marker

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gsyncd/gsyncd-host/sdk"
)

func TestScanDetector(t *testing.T) {
	for _, tt := range []struct {
		name string
		pace ScanPace
		pass Pass
		cpu  time.Duration
		want time.Duration
	}{
		{"small tree", ScanPace{}, Pass{Took: time.Millisecond}, 0, time.Second},
		{"two seconds of two cores", ScanPace{}, Pass{Took: 2 * time.Second}, 0, 196 * time.Second},
		{"cost known", ScanPace{}, Pass{Took: 2 * time.Second}, time.Second, 49 * time.Second},
		{"half a core", ScanPace{Share: 0.5, Interval: time.Minute}, Pass{}, 3 * time.Minute, 3 * time.Minute},
		{"interval", ScanPace{Interval: time.Minute}, Pass{}, time.Millisecond, time.Minute},
		{"changed", ScanPace{}, Pass{Changed: true, Took: time.Millisecond}, 0, time.Second},
		{"changed, large", ScanPace{}, Pass{Changed: true}, 4 * time.Second, 12 * time.Second},
		{"racy", ScanPace{}, Pass{Racy: true, Beacon: sdk.Beacon{Window: 5 * time.Second}}, time.Millisecond, 5 * time.Second},
		{"share beyond all", ScanPace{Share: 7}, Pass{}, time.Hour, time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := NewScanDetector(tt.pace)
				start := time.Now()
				if h, err := d.Next(t.Context()); err != nil || !h.All || time.Since(start) != 0 {
					t.Fatalf("first: %+v, %v after %v", h, err, time.Since(start))
				}
				d.Done(tt.pass, tt.cpu)
				if h, err := d.Next(t.Context()); err != nil || !h.All {
					t.Fatalf("second: %+v, %v", h, err)
				}
				if got := time.Since(start); got != tt.want {
					t.Errorf("pause of %v, not %v", got, tt.want)
				}
			})
		})
	}
}

func TestScanDetectorEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := NewScanDetector(ScanPace{})
		d.Done(Pass{}, time.Hour)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, err := d.Next(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error: %v", err)
		}
		if _, err := d.Next(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error of an ended context: %v", err)
		}
	})
}
