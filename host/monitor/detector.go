package monitor

import (
	"context"
	"fmt"

	"github.com/gsyncd/gsyncd-host/host/marker"
	"github.com/gsyncd/gsyncd-host/host/mirror"
	"github.com/gsyncd/gsyncd-host/host/report"
	"github.com/gsyncd/gsyncd-host/host/watch"
	"github.com/gsyncd/gsyncd-host/sdk"
)

// detector says when to look at the primary. When to look at all of one with native
// xtimes or events the mirror says, which knows when it last compared both sides.
// events reports whether the detector hears of changes; done ends that.
func (s *Supervisor) detector(ctx context.Context, src sdk.Source, index *marker.Marker) (_ mirror.Detector, events bool, done func(), err error) {
	done = func() {}
	every := s.Mirror.Schedule
	scan := marker.ScanPace{Interval: every.Interval, Share: every.IdleShare}
	if src.Info().Features&sdk.HasNative != 0 {
		if every.Detector != watch.Auto {
			return nil, false, nil, &sdk.Error{Kind: sdk.KindTransient, Op: "watch the primary",
				Msg: fmt.Sprintf("schedule { detector = %q }: the primary keeps xtimes itself, and goes by these; leave detector out", every.Detector)}
		}
		s.detects(report.Detector{Kind: report.NativeDetector})
		d := marker.NewNativeDetector(src, marker.NativePace{Interval: min(every.Interval, marker.DefaultPoll), Share: every.IdleShare})
		return d, false, done, nil
	}
	if s.Options.Turns > 0 {
		// So many looks are to come, one after each pause, whether anything happens or not.
		return marker.NewScanDetector(scan), false, done, nil
	}
	d, refused, err := watch.Open(ctx, watch.Options{
		Kind: every.Detector, Once: s.Options.Once, Source: src, Index: index,
		Pace: watch.Pace{Interval: every.Interval}, Scan: scan,
		Deaf: s.deaf, Logger: s.Logger,
	})
	if err != nil {
		return nil, false, nil, err
	}
	now := report.Detector{Kind: watch.Scan}
	for _, r := range refused {
		now.Refused = append(now.Refused, report.Refusal{Kind: r.Kind, Reason: r.Err.Error()})
	}
	if d == nil {
		if !s.Options.Once {
			s.detects(now)
		}
		return marker.NewScanDetector(scan), false, done, nil
	}
	now.Kind = d.Name()
	s.detects(now)
	index.Watched(d.Watch)
	return d, true, d.Close, nil
}

// detects says by what changes are noticed, if that is news.
func (s *Supervisor) detects(now report.Detector) {
	news := false
	s.Tracker.Update(func(snap *report.Snapshot) {
		news = !snap.Detector.Equal(now)
		snap.Detector = now
	})
	if !news {
		return
	}
	args := []any{"detector", now.Kind}
	for _, r := range now.Refused {
		args = append(args, "no_"+r.Kind, r.Reason)
	}
	s.Logger.Info("how changes are noticed", args...)
}

// deaf says that events fail, and that the primary is scanned from here on.
func (s *Supervisor) deaf(err error) {
	var now report.Detector
	s.Tracker.Update(func(snap *report.Snapshot) { now = snap.Detector })
	now.Refused = append([]report.Refusal(nil), now.Refused...)
	now.Refused = append(now.Refused, report.Refusal{Kind: now.Kind, Reason: err.Error()})
	now.Kind = watch.Scan
	s.detects(now)
}
