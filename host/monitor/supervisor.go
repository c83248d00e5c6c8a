package monitor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/gsyncd/gsyncd-host/config"
	"github.com/gsyncd/gsyncd-host/host/marker"
	"github.com/gsyncd/gsyncd-host/host/mirror"
	"github.com/gsyncd/gsyncd-host/host/mover"
	"github.com/gsyncd/gsyncd-host/host/report"
	"github.com/gsyncd/gsyncd-host/host/state"
	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/schema"
)

// Supervisor runs one mirror. All fields but Values, Options and Adopt must be
// set.
type Supervisor struct {
	Mirror  *config.Mirror
	State   *state.Dir // locked; the caller's to close
	Open    func(context.Context) (*Sides, error)
	Values  schema.Values // of the transfer plugin
	Options mirror.Options
	Adopt   bool
	Tracker *report.Tracker
	Logger  *slog.Logger
	Clock   func() time.Time
}

// Run runs the mirror until its options are met or ctx ends; the error is that
// of mirror.Mirror.Run, or of ctx. A mirror that runs for good never gives up: it says what
// is wrong and tries again.
func (s *Supervisor) Run(ctx context.Context) error {
	said := ""
	for attempt := 1; ; attempt++ {
		opened, err := s.attempt(ctx)
		switch {
		case err == nil, errors.Is(err, mirror.ErrProblems):
			s.Tracker.SetState(report.Stopped, nil)
			return err
		case ctx.Err() != nil:
			// What fails while everything is being ended tells nothing.
			s.Logger.Debug("stopped", "error", err)
			s.Tracker.SetState(report.Stopped, nil)
			return ctx.Err()
		}
		if !opened.IsZero() && s.Clock().Sub(opened) > s.Mirror.Retry.Max {
			attempt, said = 1, "" // it ran well in between
		}
		if s.enough(attempt, err) {
			s.Tracker.SetState(report.Failed, err)
			return err
		}
		wait := s.wait(attempt)
		s.Tracker.SetState(report.Restarting, err)
		level := slog.LevelError
		if sdk.KindOf(err) == sdk.KindTransient && err.Error() == said {
			level = slog.LevelDebug // it waits for something, such as its upstream, and that was said
		}
		said = err.Error()
		s.Logger.Log(ctx, level, "the mirror stopped and will be tried again", "error", err, "wait", wait)
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			s.Tracker.SetState(report.Stopped, nil)
			return ctx.Err()
		}
	}
}

// onceAttempts is how often a run with an end tries, where nothing is declared.
const onceAttempts = 3

func (s *Supervisor) attempts() int {
	if s.Mirror.Retry.Attempts == 0 && s.Options.Once {
		return onceAttempts
	}
	return s.Mirror.Retry.Attempts
}

// enough reports whether to give up.
func (s *Supervisor) enough(attempt int, err error) bool {
	if s.Options.Once && !passing(err) {
		return true
	}
	return s.attempts() > 0 && attempt >= s.attempts()
}

// passing reports whether an error may be over by the next attempt: a plugin
// that died, a device that hung.
func passing(err error) bool {
	switch sdk.KindOf(err) {
	case sdk.KindGone, sdk.KindTransient:
		return true
	}
	return false
}

func (s *Supervisor) wait(attempt int) time.Duration {
	d := s.Mirror.Retry.Min
	for range attempt - 1 {
		d = min(2*d, s.Mirror.Retry.Max)
	}
	return d
}

// attempt opens everything, runs the mirror and closes everything. It returns
// when both sides were open, zero if they never were.
func (s *Supervisor) attempt(ctx context.Context) (opened time.Time, err error) {
	sides, err := s.Open(ctx)
	if err != nil {
		return time.Time{}, err
	}
	defer sides.Close()
	opened = s.Clock()
	return opened, s.mirror(ctx, sides)
}

// mirror runs the mirror between two sides.
func (s *Supervisor) mirror(ctx context.Context, sides *Sides) (err error) {
	var session mirror.Session
	if err := s.State.Load("session", &session); err != nil && !s.Adopt {
		return fmt.Errorf("%w; --adopt begins a new one with the sides as they are", err)
	}
	dir, err := s.State.Sub("index")
	if err != nil {
		return err
	}
	index, err := marker.Open(dir, marker.Options{Logger: s.Logger})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, index.Close()) }()
	mv, err := mover.New(mover.Config{
		Source: sides.Source, Target: sides.Target,
		Method: s.Mirror.Transfer.Label, Transfer: sides.Transfer, TransferConfig: s.Values,
		Jobs: s.Mirror.Transfer.Jobs, Threshold: s.Mirror.Transfer.Threshold,
		Rate: s.Mirror.Limits.Rate, Logger: s.Logger, Progress: s.Tracker.Moved,
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, mv.Close()) }()
	detector, done, err := s.detector(ctx, sides.Source, index)
	if err != nil {
		return err
	}
	defer done()
	m := mirror.New(mirror.Config{
		Source: sides.Source, Target: sides.Target,
		Marker:   index,
		Detector: detector,
		Mover:    mv,
		Sweep:    s.Mirror.Schedule.Sweep,
		Keep:     s.Mirror.KeepDeleted, MaxDeletes: s.Mirror.Limits.MaxDeletes, Adopt: s.Adopt,
		Retry:   mirror.Retry{Min: s.Mirror.Retry.Min, Max: s.Mirror.Retry.Max, Attempts: s.attempts()},
		Session: session,
		SaveSession: func(v mirror.Session) error {
			if err := s.State.Save("session", v); err != nil {
				return err
			}
			s.Adopt = false // it was said of the sides as they are now, not for later
			return nil
		},
		Tracker: s.Tracker, Logger: s.Logger, Clock: s.Clock,
	})
	return m.Run(ctx, s.Options)
}
