package glusterlab

import (
	"fmt"
	"testing"
	"time"
)

// Await tries until it succeeds, and ends the test when that takes longer than
// [Patience]. What is awaited reads as "await WHAT".
func Await(t testing.TB, what string, try func() error) {
	t.Helper()
	if err := await(what, try); err != nil {
		t.Fatal(err)
	}
}

func await(what string, try func() error) error {
	deadline := time.NewTimer(Patience)
	defer deadline.Stop()
	pause := 5 * time.Millisecond
	for {
		err := try()
		if err == nil {
			return nil
		}
		select {
		case <-time.After(pause):
			pause = min(2*pause, 100*time.Millisecond)
		case <-deadline.C:
			return fmt.Errorf("await %s: not within %v: %w", what, Patience, err)
		}
	}
}
