package main

import (
	"fmt"
	"testing"
	"time"
)

// Round trips in a row that a run may take at most, however many entries there
// are. About ten of them are the login's and the agent's start.
const (
	firstTrips = 40
	quietTrips = 25
)

// TestSSHRoundTrips measures how many times in a row the program waits for the
// other end: what a slower network adds, divided by how much slower it is. What else the
// machine has to do adds to both, or to one of the two: then it measures both anew.
func TestSSHRoundTrips(t *testing.T) {
	const files, rtt = 2000, 100 * time.Millisecond
	for deadline := time.Now().Add(patience); ; {
		fastFirst, fastQuiet := latency(t, files, 0)
		slowFirst, slowQuiet := latency(t, files, rtt)
		first, quiet := (slowFirst-fastFirst).Seconds()/rtt.Seconds(), (slowQuiet-fastQuiet).Seconds()/rtt.Seconds()
		t.Logf("round trips: %.0f for a first run, %.0f for a quiet one", first, quiet)
		if first <= firstTrips && quiet <= quietTrips {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("runs of %d files took %.0f and %.0f round trips, more than %d and %d", files, first, quiet, firstTrips, quietTrips)
		}
	}
}

// latency gives how long a first and a quiet run take over a network with a
// round trip time.
func latency(t *testing.T, files int, rtt time.Duration) (first, quiet time.Duration) {
	t.Helper()
	pl, s := newFar(t)
	r := s.behind(rtt / 2)
	for i := range files {
		pl.write(t, fmt.Sprintf("d%02d/f%d", i%20, i), make([]byte, 1000+i))
	}
	run := func() time.Duration {
		began := time.Now()
		pl.once(t, pl.p, s.far())
		took := time.Since(began)
		_, bytes := r.count()
		t.Logf("rtt %v: %v, %d bytes so far", rtt, took.Round(time.Millisecond), bytes)
		return took
	}
	first = run()
	if !pl.inSync(t) {
		t.Error("the trees differ")
	}
	quiet = run()
	s.gone()
	return first, quiet
}
