package cli

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/gsyncd/gsyncd-host/host/mirror"
	"github.com/gsyncd/gsyncd-host/host/state"
)

func TestCodeOf(t *testing.T) {
	for _, c := range []struct {
		err  error
		ends bool
		want int
	}{
		{nil, true, exitDone},
		{context.Canceled, false, exitDone},
		{context.Canceled, true, exitFailure},
		{fmt.Errorf("m: %w", mirror.ErrProblems), true, exitProblems},
		{fmt.Errorf("m: %w", &state.LockedError{PID: 1}), false, exitLocked},
		{errors.New("other"), false, exitFailure},
	} {
		if got := codeOf(c.err, c.ends); got != c.want {
			t.Errorf("codeOf(%v, %v) = %d, want %d", c.err, c.ends, got, c.want)
		}
	}
}

func TestGraver(t *testing.T) {
	order := []int{exitDone, exitProblems, exitLocked, exitFailure}
	for i, a := range order {
		for j, b := range order {
			if got := graver(a, b); got != order[max(i, j)] {
				t.Errorf("graver(%d, %d) = %d", a, b, got)
			}
		}
	}
}

func TestSideArgument(t *testing.T) {
	for raw, want := range map[string]string{
		"/a/b": "/a/b", "./a": "/cwd/a", "../a": "/a", ".": "/cwd", "a/b": "/cwd/a/b", "a/": "/cwd/a",
		".hidden/x": "/cwd/.hidden/x", ":vol": ":vol", "host:/a": "host:/a", "file:///a": "file:///a", "./a:b": "/cwd/a:b",
		"word": "", "": "",
	} {
		got, err := sideArgument("/cwd", raw)
		if (err != nil) != (want == "") || got != want {
			t.Errorf("sideArgument(%q) = %q, %v; want %q", raw, got, err, want)
		}
	}
}
