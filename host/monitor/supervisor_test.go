package monitor

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gsyncd/gsyncd-host/config"
	"github.com/gsyncd/gsyncd-host/host/mirror"
	"github.com/gsyncd/gsyncd-host/host/report"
	"github.com/gsyncd/gsyncd-host/host/watch"
	"github.com/gsyncd/gsyncd-host/sdk"
)

// supervisor gives one whose sides never open.
func supervisor(open func(context.Context) (*Sides, error), opts mirror.Options) *Supervisor {
	return &Supervisor{
		Mirror: &config.Mirror{Retry: config.Retry{Min: time.Second, Max: 10 * time.Second}},
		Open:   open, Options: opts,
		Tracker: report.NewTracker("m", "p", "s", time.Now),
		Logger:  slog.New(slog.DiscardHandler), Clock: time.Now,
	}
}

func TestOnceTriesAgainWhatMayPass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, c := range []struct {
			kind sdk.Kind
			want int
		}{{sdk.KindGone, onceAttempts}, {sdk.KindTransient, onceAttempts}, {sdk.KindPermission, 1}, {sdk.KindFatal, 1}} {
			tries := 0
			s := supervisor(func(context.Context) (*Sides, error) {
				tries++
				return nil, &sdk.Error{Kind: c.kind, Op: "open"}
			}, mirror.Options{Once: true})
			err := s.Run(t.Context())
			if sdk.KindOf(err) != c.kind || tries != c.want {
				t.Errorf("%s: %d tries, %v; want %d", c.kind, tries, err, c.want)
			}
			if state := s.Tracker.Snapshot().State; state != report.Failed {
				t.Errorf("%s: state %s", c.kind, state)
			}
		}
	})
}

func TestDaemonBacksOffAndNeverGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var at []time.Duration
		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		s := supervisor(func(context.Context) (*Sides, error) {
			at = append(at, time.Since(began))
			return nil, errors.New("not today")
		}, mirror.Options{})
		if err := s.Run(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("ended with %v", err)
		}
		if len(at) < 300 {
			t.Fatalf("%d tries in an hour", len(at))
		}
		for i, want := range []time.Duration{0, 1, 3, 7, 15, 25, 35} {
			if at[i] != want*time.Second {
				t.Errorf("try %d after %v, want %v s", i+1, at[i], int(want))
			}
		}
	})
}

// A mirror that waits for its upstream says so once, and goes on trying.
func TestWaitingIsSaidOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		tries := 0
		s := supervisor(func(context.Context) (*Sides, error) {
			tries++
			return nil, &sdk.Error{Kind: sdk.KindTransient, Op: "open", Msg: "waits for its upstream"}
		}, mirror.Options{})
		var out strings.Builder
		s.Logger = slog.New(slog.NewTextHandler(&out, nil))
		if err := s.Run(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("ended with %v", err)
		}
		if said := strings.Count(out.String(), "waits for its upstream"); said != 1 || tries < 300 {
			t.Errorf("said %d times in %d tries", said, tries)
		}
	})
}

// By what changes are noticed is said once, and as a warning when nothing tells of them any
// more.
func TestChoicesAreSaid(t *testing.T) {
	s := supervisor(nil, mirror.Options{})
	var out strings.Builder
	s.Logger = slog.New(slog.NewTextHandler(&out, nil))
	scan := watch.Choice{Kind: watch.Scan, Refused: []watch.Refusal{{Kind: watch.Fanotify, Err: errors.New("it broke")}}}
	for _, step := range []struct {
		now  watch.Choice
		want string
	}{
		{scan, "level=INFO "}, // at the start
		{watch.Choice{Kind: watch.Inotify, Refused: scan.Refused}, "level=INFO "},
		{scan, "level=WARN "},
		{scan, ""},
		{watch.Choice{Kind: watch.Fanotify}, "level=INFO "},
	} {
		out.Reset()
		s.chosen(step.now)
		if said := out.String(); !strings.Contains(said, step.want) || (said == "") != (step.want == "") || strings.Contains(said, "it broke") != (said != "" && len(step.now.Refused) > 0) {
			t.Errorf("%v: %q, want %q", step.now, said, step.want)
		}
		if now := s.Tracker.Snapshot().Detector; now.Kind != step.now.Kind || len(now.Refused) != len(step.now.Refused) {
			t.Errorf("%v: status %+v", step.now, now)
		}
	}
}
