package drivertest

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"
)

// Outcome is what became of a check.
type Outcome string

// The outcomes.
const (
	Passed  Outcome = "passed"
	Failed  Outcome = "failed"
	Skipped Outcome = "skipped" // it does not apply; the notes say why
)

// Result is the outcome of one check.
type Result struct {
	Name    string  `json:"name"`
	Doc     string  `json:"doc"` // what the check proves
	Outcome Outcome `json:"outcome"`
	// Notes are what it has to say: why it failed or was skipped, what it left out.
	Notes []string      `json:"notes,omitempty"`
	Took  time.Duration `json:"took_ns"`
}

// checkLimit is how long a check may take. A driver that does not return from a
// call by then is stuck.
const checkLimit = 2 * time.Minute

// Report runs the suite outside of a test, on the driver that cfg.Launch starts, or
// else cfg.New makes. It calls each with every result as it is there. When ctx
// ends the rest is left out; and so it is, after a failure, when a check does not
// come to its end, since what it left running would disturb the others.
func Report(ctx context.Context, cfg Config, each func(Result)) {
	whole := newReporter(ctx)
	s := &suite{cfg: cfg, whole: whole}
	setup := whole.do(func(t T) {
		if cfg.Launch != nil {
			s.driver = cfg.Launch(t)
		} else {
			s.driver = cfg.New()
		}
	})
	defer func() {
		whole.finish()
		if notes := whole.take(); whole.Failed() && len(notes) > 0 {
			each(Result{Name: "End", Doc: "ends in good order", Outcome: Failed, Notes: notes})
		}
	}()
	if !setup || whole.Failed() {
		each(Result{Name: "Start", Doc: "starts", Outcome: Failed, Notes: whole.take()})
		return
	}
	for _, c := range cfg.checks() {
		if ctx.Err() != nil {
			return
		}
		if cfg.Only != nil && !slices.Contains(cfg.Only, c.name) {
			continue
		}
		r, ended := runCheck(ctx, s, c)
		each(r)
		if !ended {
			return
		}
	}
}

// runCheck runs one check. It reports whether the check came to its end.
func runCheck(ctx context.Context, s *suite, c check) (Result, bool) {
	begin := time.Now()
	t := newReporter(ctx)
	done := make(chan bool, 1)
	go func() {
		ok := t.do(func(t T) { c.run(t, s) })
		t.finish()
		done <- ok
	}()
	ended := true
	limit := time.NewTimer(checkLimit)
	defer limit.Stop()
	select {
	case <-done:
	case <-limit.C:
		ended = false
		t.Errorf("the check did not come to its end within %s: a call does not return", checkLimit)
	}
	r := Result{Name: c.name, Doc: c.doc, Outcome: Passed, Notes: t.take(), Took: time.Since(begin)}
	switch {
	case t.Failed():
		r.Outcome = Failed
	case t.wasSkipped():
		r.Outcome = Skipped
	}
	return r, ended
}

// reporter is the T of a Report.
type reporter struct {
	ctx    context.Context
	cancel context.CancelFunc

	mu      sync.Mutex
	notes   []string
	failed  bool
	skipped bool
	cleanup []func()
}

var _ T = (*reporter)(nil)

func newReporter(ctx context.Context) *reporter {
	t := &reporter{}
	t.ctx, t.cancel = context.WithCancel(ctx)
	return t
}

// do runs f in a goroutine of its own, which Fatal and Skip end, and waits for it.
// It reports whether f came to an end that it chose itself.
func (t *reporter) do(f func(T)) bool {
	done := make(chan bool)
	go func() {
		chosen := false
		defer func() {
			if !chosen {
				if r := recover(); r != nil {
					t.Errorf("the driver panicked: %v", r)
				} else {
					chosen = true // by Fatal or Skip
				}
			}
			done <- chosen
		}()
		f(t)
		chosen = true
	}()
	return <-done
}

// finish does what is to be done at the end, the last first.
func (t *reporter) finish() {
	t.cancel()
	for {
		t.mu.Lock()
		n := len(t.cleanup)
		if n == 0 {
			t.mu.Unlock()
			return
		}
		f := t.cleanup[n-1]
		t.cleanup = t.cleanup[:n-1]
		t.mu.Unlock()
		t.do(func(T) { f() })
	}
}

// take returns the notes so far, and forgets them.
func (t *reporter) take() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := t.notes
	t.notes = nil
	return out
}

func (t *reporter) note(text string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.notes = append(t.notes, strings.TrimRight(text, "\n"))
}

func (t *reporter) fail() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.failed = true
}

func (t *reporter) wasSkipped() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.skipped
}

// Failed implements [T].
func (t *reporter) Failed() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.failed
}

// Helper implements [T].
func (t *reporter) Helper() {}

// Context implements [T].
func (t *reporter) Context() context.Context { return t.ctx }

// Cleanup implements [T].
func (t *reporter) Cleanup(f func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.cleanup = append(t.cleanup, f)
}

// TempDir implements [T].
func (t *reporter) TempDir() string {
	dir, err := os.MkdirTemp("", "plugin-check-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Errorf("remove a temporary directory: %v", err)
		}
	})
	return dir
}

// Log implements [T].
func (t *reporter) Log(args ...any) { t.note(fmt.Sprintln(args...)) }

// Logf implements [T].
func (t *reporter) Logf(format string, args ...any) { t.note(fmt.Sprintf(format, args...)) }

// Error implements [T].
func (t *reporter) Error(args ...any) { t.Log(args...); t.fail() }

// Errorf implements [T].
func (t *reporter) Errorf(format string, args ...any) { t.Logf(format, args...); t.fail() }

// Fatal implements [T].
func (t *reporter) Fatal(args ...any) { t.Error(args...); runtime.Goexit() }

// Fatalf implements [T].
func (t *reporter) Fatalf(format string, args ...any) { t.Errorf(format, args...); runtime.Goexit() }

// Skip implements [T].
func (t *reporter) Skip(args ...any) { t.Log(args...); t.skip() }

// Skipf implements [T].
func (t *reporter) Skipf(format string, args ...any) { t.Logf(format, args...); t.skip() }

func (t *reporter) skip() {
	t.mu.Lock()
	t.skipped = true
	t.mu.Unlock()
	runtime.Goexit()
}
