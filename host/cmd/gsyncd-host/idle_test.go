package main

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// TestIdleCost looks whether a program that has nothing to do is nearly as cheap
// as its schedule says: 2 % of a core. The bound is wide, since machines differ, and
// it looks again where it is too much, since on a busy one all takes longer; what it
// catches is a program that spins.
func TestIdleCost(t *testing.T) {
	t.Parallel()
	const (
		dirs, files = 200, 25
		span        = 5 * time.Second
		bound       = 0.10
	)
	pl := newPlace(t)
	for d := range dirs {
		dir := filepath.Join(pl.p, fmt.Sprintf("d%03d", d))
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		for f := range files {
			if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("f%03d", f)), []byte("idle"), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	h := pl.start(t, "-c", pl.config(t, "schedule { idle_share = \"2%\" }"))
	h.until("it says that it is in sync", func() bool { return h.said(`msg="in sync"`) > 0 })
	// The looks just after the copy are dearer: they make sure.
	wait(t.Context(), 3*time.Second)
	h.until("it costs little while nothing changes", func() bool {
		before := pl.cpu(t)
		began := time.Now()
		wait(t.Context(), span)
		used, took := pl.cpu(t)-before, time.Since(began)
		share := used.Seconds() / took.Seconds()
		t.Logf("%s of processor time in %s: %.1f %% of a core", used, took.Round(time.Millisecond), 100*share)
		return share <= bound
	})
	h.stop(syscall.SIGTERM)
	pl.clean(t)
}

// cpu sums up the processor time of all processes.
func (pl *place) cpu(t *testing.T) (sum time.Duration) {
	t.Helper()
	for _, p := range pl.processes(t) {
		sum += p.cpu(t)
	}
	return sum
}
