package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/gsyncd/gsyncd-host/host/mirror"
	"github.com/gsyncd/gsyncd-host/host/monitor"
	"github.com/gsyncd/gsyncd-host/host/report"
	"github.com/gsyncd/gsyncd-host/host/state"
)

// runFlags are the flags of run.
type runFlags struct {
	configFlags
	options  mirror.Options
	adopt    bool
	stateDir string
	json     bool
}

// ends reports whether the run has an end of its own. To be stopped before is
// then a failure; otherwise it is the only end there is.
func (f *runFlags) ends() bool { return f.options.Once || f.options.Turns > 0 }

func runCommand(env *Env) *cobra.Command {
	var f runFlags
	cmd := &cobra.Command{
		Use:   "run [-c FILE|DIR] [MIRROR...] | run PRIMARY SECONDARY",
		Short: "Mirror until stopped, or once",
		Long: `Run mirrors declared in configuration files, all of them or those named, or
one mirror given by two URLs or paths. Without --once it goes on until it is
stopped by SIGINT or SIGTERM.

Exit codes: 0 done, 1 failure, 2 bad configuration or usage, 3 finished with
problems, 4 the mirror is already running.`,
		Example: "  gsyncd-host run --once /data /mnt/mirror\n  gsyncd-host run -c /etc/gsyncd-host pictures",
		RunE: func(cmd *cobra.Command, args []string) error {
			return run(cmd.Context(), env, &f, args)
		},
	}
	f.configFlags.add(cmd)
	flags := cmd.Flags()
	flags.BoolVar(&f.options.Once, "once", false, "crawl until nothing is left to do, then exit")
	flags.BoolVar(&f.options.Full, "full", false, "first compare everything, contents included, whatever the marks say")
	flags.IntVar(&f.options.Turns, "turns", 0, "stop after `N` looks at the primary")
	flags.BoolVar(&f.adopt, "adopt", false, "take both sides as they are, even if they were others before;\nwhat only the secondary has may then be removed")
	flags.StringVar(&f.stateDir, "state-dir", "", "where mirrors keep their state (default /var/lib/gsyncd-host\nfor root, else the XDG state directory)")
	flags.BoolVar(&f.json, "json", false, "print JSON: logs on stderr, a summary a mirror on stdout")
	return cmd
}

func run(ctx context.Context, env *Env, f *runFlags, args []string) error {
	if f.options.Turns < 0 {
		return usage(fmt.Errorf("--turns: %d is not a number of turns", f.options.Turns))
	}
	screen := &live{out: env.Stderr, width: env.Width, rows: env.Height}
	set, err := prepare(ctx, env, &f.configFlags, args, runAsker(env, f), f.json)
	if errors.Is(err, errStopped) && !f.ends() {
		return nil
	}
	if err != nil {
		return err
	}
	base := f.stateDir
	if base == "" {
		base = set.config.Host.StateDir
	}
	if base == "" {
		if base, err = state.Base(env.Root, env.getenv); err != nil {
			return usage(err)
		}
	}
	logger := newLogger(screen, set.config.Host, f.json)
	if f.json {
		for _, d := range set.warnings {
			logger.Warn(d.Summary, "place", d.Subject.String(), "hint", d.Detail)
		}
	}
	workers := make([]*worker, len(set.mirrors))
	for i, p := range set.mirrors {
		workers[i] = newWorker(env, f, p, logger)
	}
	stop := startScreen(env, f, screen, workers)
	var wg sync.WaitGroup
	for _, w := range workers {
		wg.Go(func() { w.err = w.run(ctx, base) })
	}
	wg.Wait()
	stop()
	return conclude(env, f, workers)
}

// worker is one mirror being run.
type worker struct {
	env      *Env
	flags    *runFlags
	prepared *prepared
	logger   *slog.Logger
	tracker  *report.Tracker
	err      error
}

func newWorker(env *Env, f *runFlags, p *prepared, logger *slog.Logger) *worker {
	m := p.mirror
	w := &worker{
		env: env, flags: f, prepared: p,
		logger:  logger.With("mirror", m.Name),
		tracker: report.NewTracker(m.Name, m.Primary.Raw, m.Secondary.Raw, env.Now),
	}
	if !f.ends() { // else the summary tells it soon enough
		t := teller{log: w.logger, live: env.live(f)}
		w.tracker.Watch(t.tell)
	}
	return w
}

func (w *worker) run(ctx context.Context, base string) (err error) {
	m := w.prepared.mirror
	dir, err := state.Open(base, w.prepared.key)
	if err != nil {
		var locked *state.LockedError
		if !errors.As(err, &locked) {
			err = fmt.Errorf("%w; another place for it can be named with --state-dir", err)
		}
		w.tracker.SetState(report.Failed, err)
		return err
	}
	defer func() { err = errors.Join(err, dir.Close()) }()
	s := monitor.Supervisor{
		Mirror: m, State: dir,
		Open:    w.open,
		Values:  w.prepared.transfer,
		Options: w.flags.options, Adopt: w.flags.adopt,
		Tracker: w.tracker, Logger: w.logger, Clock: w.env.Now,
	}
	return s.Run(ctx)
}

// live reports whether live lines show what mirrors do.
func (e *Env) live(f *runFlags) bool { return e.Width > 0 && !f.json }

// startScreen shows live lines while mirrors run on a terminal; the returned
// function takes them away.
func startScreen(env *Env, f *runFlags, screen *live, workers []*worker) func() {
	if !env.live(f) {
		return func() {}
	}
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(liveEvery)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
			}
			snaps := make([]report.Snapshot, len(workers))
			for i, w := range workers {
				snaps[i] = w.tracker.Snapshot()
			}
			screen.show(snaps)
		}
	})
	return func() {
		close(done)
		wg.Wait()
		screen.close()
	}
}

// conclude prints the summaries and makes one exit code of all: the gravest.
func conclude(env *Env, f *runFlags, workers []*worker) error {
	code := exitDone
	for _, w := range workers {
		snap := w.tracker.Snapshot()
		var err error
		if f.json {
			err = writeJSON(env.Stdout, &snap)
		} else {
			err = writeSummary(env.Stdout, &snap, w.err)
		}
		if err != nil {
			return fail(fmt.Errorf("print the summary: %w", err))
		}
		code = graver(code, codeOf(w.err, f.ends()))
	}
	if code == exitDone {
		return nil
	}
	return &exitError{code: code}
}

func codeOf(err error, ends bool) int {
	var locked *state.LockedError
	switch {
	case err == nil, !ends && errors.Is(err, context.Canceled):
		return exitDone
	case errors.Is(err, mirror.ErrProblems):
		return exitProblems
	case errors.As(err, &locked):
		return exitLocked
	}
	return exitFailure
}

// graver picks between exit codes: failure, then a lock held, then problems.
func graver(a, b int) int {
	rank := func(code int) int {
		return strings.IndexByte("\x00\x03\x04\x01", byte(code))
	}
	if rank(b) > rank(a) {
		return b
	}
	return a
}
