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
// done ends the detector.
func (s *Supervisor) detector(ctx context.Context, src sdk.Source, index *marker.Marker) (_ mirror.Detector, done func(), err error) {
	every := s.Mirror.Schedule
	scan := marker.ScanPace{Interval: every.Interval, Share: every.IdleShare}
	if src.Info().Features&sdk.HasNative != 0 {
		if every.Detector != watch.Auto {
			return nil, nil, &sdk.Error{Kind: sdk.KindTransient, Op: "watch the primary",
				Msg: fmt.Sprintf("schedule { detector = %q }: the primary keeps xtimes itself, and goes by these; leave detector out", every.Detector)}
		}
		s.detects(report.Detector{Kind: report.NativeDetector})
		d := marker.NewNativeDetector(src, marker.NativePace{Interval: min(every.Interval, marker.DefaultPoll), Share: every.IdleShare})
		return d, func() {}, nil
	}
	if s.Options.Turns > 0 {
		// So many looks are to come, one after each pause, whether anything happens or not.
		return marker.NewScanDetector(scan), func() {}, nil
	}
	d, err := watch.Open(ctx, watch.Options{
		Kind: every.Detector, Once: s.Options.Once, Source: src, Index: index,
		Pace: watch.Pace{Interval: every.Interval}, Scan: scan,
		Chosen: s.chosen, Logger: s.Logger,
	})
	if err != nil {
		return nil, nil, err
	}
	index.Watched(d.Watch)
	return d, d.Close, nil
}

// chosen takes what was chosen to notice changes by.
func (s *Supervisor) chosen(c watch.Choice) {
	if c.Kind == watch.Scan && s.Options.Once {
		return // it looks when it begins, and as often as it takes
	}
	now := report.Detector{Kind: c.Kind}
	for _, r := range c.Refused {
		now.Refused = append(now.Refused, report.Refusal{Kind: r.Kind, Reason: r.Err.Error()})
	}
	s.detects(now)
}

// detects says by what changes are noticed, if that is news: as a warning if nothing
// tells of them any more.
func (s *Supervisor) detects(now report.Detector) {
	var was report.Detector
	s.Tracker.Update(func(snap *report.Snapshot) { was, snap.Detector = snap.Detector, now })
	if was.Equal(now) {
		return
	}
	args := []any{"detector", now.Kind}
	for _, r := range now.Refused {
		args = append(args, "no_"+r.Kind, r.Reason)
	}
	say := s.Logger.Info
	if now.Kind == watch.Scan && !was.IsZero() && was.Kind != watch.Scan {
		say = s.Logger.Warn
	}
	say("how changes are noticed", args...)
}
