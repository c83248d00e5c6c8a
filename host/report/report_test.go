package report

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/gsyncd/gsyncd-host/sdk"
)

func TestRateForgets(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	tr := NewTracker("m", "p", "s", func() time.Time { return now })
	tr.Moved(1000)
	if got := tr.Snapshot().Rate; got != 1000 {
		t.Errorf("rate of the first second %v, want 1000", got)
	}
	now = now.Add(4 * time.Second)
	tr.Moved(1000)
	if got := tr.Snapshot().Rate; got != 400 {
		t.Errorf("rate over five seconds %v, want 400", got)
	}
	now = now.Add(time.Minute)
	if got := tr.Snapshot().Rate; got != 0 {
		t.Errorf("rate after a minute's rest %v, want 0", got)
	}
}

func TestPendingAndETA(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	tr := NewTracker("m", "p", "s", func() time.Time { return now })
	tr.Moved(100)
	tr.Update(func(s *Snapshot) { s.Done.Bytes, s.Expected, s.PendingBytes = 100, 1100, 7 })
	got := tr.Snapshot()
	if got.PendingBytes != 1000 || got.ETASeconds != 10 {
		t.Errorf("pending %d, ETA %v; want 1000 and 10", got.PendingBytes, got.ETASeconds)
	}
}

func TestSnapshotIsACopy(t *testing.T) {
	tr := NewTracker("m", "p", "s", time.Now)
	if !tr.Notice("one") || tr.Notice("one") {
		t.Error("a notice is new once")
	}
	snap := tr.Snapshot()
	snap.Notices[0] = "changed"
	if tr.Snapshot().Notices[0] != "one" {
		t.Error("the tracker's list was handed out")
	}
	tr.SetState(Failed, errors.New("why"))
	if s := tr.Snapshot(); s.State != Failed || s.Error != "why" {
		t.Errorf("state %s, error %q", s.State, s.Error)
	}
	tr.SetState(InSync, nil)
	if s := tr.Snapshot(); s.Error != "" || s.Synced.IsZero() {
		t.Errorf("error %q, synced %v", s.Error, s.Synced)
	}
}

func TestProblemJSONKeepsBytes(t *testing.T) {
	data, err := json.Marshal([]Problem{{Path: "a\xffb", Side: sdk.Primary, Kind: sdk.KindBusy}, {Path: "plain"}})
	if err != nil {
		t.Fatal(err)
	}
	var out []struct {
		Path  string `json:"path"`
		Bytes []byte `json:"path_bytes"`
		Kind  string `json:"kind"`
	}
	if err := json.Unmarshal(data, &out); err != nil {
		t.Fatal(err)
	}
	if string(out[0].Bytes) != "a\xffb" || out[0].Kind != "busy" || strings.Contains(string(data), "path_bytes\":\"cGxhaW4") || out[1].Path != "plain" {
		t.Errorf("%s", data)
	}
}
