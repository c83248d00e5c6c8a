package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// detectors are the values of -detector, the best first after "auto". A program
// that does not know one of them says so.
var detectors = []string{"auto", "btrfs", "fanotify", "inotify", "scan"}

// errNoDetector says that the detector that was asked for is not to be had.
var errNoDetector = errors.New("this detector is not to be had here")

// status is what is read of what the program prints with --json when it ends:
// the status of the mirror, or what is wrong with its settings.
type status struct {
	State    string `json:"state"`
	Error    string `json:"error"`
	Detector struct {
		Kind string `json:"kind"`
	} `json:"detector"`
	Diagnostics []struct {
		Summary string `json:"summary"`
	} `json:"diagnostics"`
}

// parseStatus finds the status in a program's output. Lines of the log are JSON
// too, of another form.
func parseStatus(out string) (status, error) {
	for line := range strings.Lines(out) {
		var s status
		if json.Unmarshal([]byte(line), &s) == nil && (s.State != "" || len(s.Diagnostics) > 0) {
			return s, nil
		}
	}
	return status{}, fmt.Errorf("it told no status: %s", tail([]byte(out)))
}

// refused gives the words with which the program refuses its detector.
func (s *status) refused() (string, bool) {
	if strings.Contains(s.Error, "schedule { detector =") {
		return s.Error, true
	}
	for _, d := range s.Diagnostics {
		if strings.HasPrefix(d.Summary, "detector cannot be") {
			return d.Summary, true
		}
	}
	return "", false
}
