package cli

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/gsyncd/gsyncd-host/host/report"
)

func TestLiveLine(t *testing.T) {
	now := time.Unix(1_000_000_000, 0)
	for _, c := range []struct {
		snap report.Snapshot
		want string
	}{
		{
			report.Snapshot{Mirror: "m", State: report.Syncing, Done: report.Counts{Files: 1234, Bytes: 1 << 20}, PendingBytes: 3 << 20, Rate: 1 << 20, ETASeconds: 185},
			"m: syncing, 1,234 files, 1.0 MiB of 4.0 MiB, 1.0 MiB/s, ETA 3m05s",
		},
		{report.Snapshot{Mirror: "m", State: report.InSync, Entries: 1, Now: now, Synced: now.Add(-5 * time.Second)}, "m: in sync, 1 entry, 0 B, seen 5s ago"},
		{
			report.Snapshot{Mirror: "m", State: report.Waiting, Entries: 2, ProblemCount: 1, Now: now, Synced: now.Add(-2*time.Hour - 10*time.Minute)},
			"m: problems, 2 entries, 0 B, in sync 2h10m ago, 1 problem",
		},
		{report.Snapshot{Mirror: "m\x1b[31m", State: report.Restarting, Error: "bad\nname\x07"}, `m\x1b[31m: restarting, bad\nname\x07`},
	} {
		if got := liveLine(&c.snap); got != c.want {
			t.Errorf("got  %q\nwant %q", got, c.want)
		}
	}
}

// TestLiveErases plays a small terminal: what log lines and live lines leave on
// it must be the log lines and the last live lines.
func TestLiveErases(t *testing.T) {
	var buf bytes.Buffer
	l := live{out: &buf, width: 20, rows: 5}
	snaps := func(n int) []report.Snapshot {
		out := make([]report.Snapshot, n)
		for i := range out {
			out[i] = report.Snapshot{Mirror: strings.Repeat("long", 10), State: report.Starting}
		}
		return out
	}
	l.show(snaps(2))
	size := buf.Len()
	l.show(snaps(2))
	if buf.Len() != size {
		t.Error("what has not changed is drawn again")
	}
	if _, err := l.Write([]byte("log 1\n")); err != nil {
		t.Fatal(err)
	}
	l.show(snaps(9))
	if _, err := l.Write([]byte("log 2\n")); err != nil {
		t.Fatal(err)
	}
	want := []string{"log 1", "log 2", "longlonglonglonglon", "longlonglonglonglon", "longlonglonglonglon", "and 6 more mirrors"}
	if got := screen(t, buf.String()); strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("on the screen: %q", got)
	}
	l.close()
	if got := screen(t, buf.String()); strings.Join(got, "\n") != "log 1\nlog 2" {
		t.Errorf("in the end: %q", got)
	}
}

// screen interprets what was written, which may use "up N, margin, erase" alone.
func screen(t *testing.T, out string) []string {
	t.Helper()
	var lines []string
	for out != "" {
		if rest, ok := strings.CutPrefix(out, "\x1b["); ok {
			up := int(rest[0] - '0')
			out, ok = strings.CutPrefix(rest[1:], "A\r\x1b[J")
			if !ok || up > len(lines) {
				t.Fatalf("unknown control at %q", rest)
			}
			lines = lines[:len(lines)-up]
			continue
		}
		line, rest, _ := strings.Cut(out, "\n")
		lines, out = append(lines, line), rest
	}
	return lines
}
