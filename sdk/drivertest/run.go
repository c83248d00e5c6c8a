package drivertest

import (
	"context"
	"slices"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// T is what a check needs of a test. *testing.T is one; [Report] has another,
// for programs that are no test.
type T interface {
	Helper()
	Context() context.Context
	Cleanup(func())
	TempDir() string
	Log(args ...any)
	Logf(format string, args ...any)
	Error(args ...any)
	Errorf(format string, args ...any)
	Fatal(args ...any)
	Fatalf(format string, args ...any)
	Skip(args ...any)
	Skipf(format string, args ...any)
	Failed() bool
}

// Runner is a T that can have tests in it. *testing.T is one.
type Runner[S any] interface {
	T
	Run(name string, f func(S)) bool
}

// Run runs the suite, in this process and as a process, as far as cfg gives both.
func Run[S Runner[S]](t S, cfg Config) {
	if cfg.New != nil {
		t.Run("inprocess", func(t S) { runAll(t, cfg, cfg.New()) })
	}
	if cfg.Launch != nil {
		t.Run("process", func(t S) { runAll(t, cfg, cfg.Launch(t)) })
	}
}

func runAll[S Runner[S]](t S, cfg Config, d sdk.Driver) {
	s := &suite{cfg: cfg, driver: d, whole: t}
	left := len(cfg.Only)
	for _, c := range cfg.checks() {
		if cfg.Only != nil && !slices.Contains(cfg.Only, c.name) {
			continue
		}
		left--
		t.Run(c.name, func(t S) { c.run(t, s) })
	}
	if cfg.Only != nil && left != 0 {
		t.Errorf("Only names %d tests that there are not, or twice: %q", left, cfg.Only)
	}
}
