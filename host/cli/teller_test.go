package cli

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/gsyncd/gsyncd-host/host/report"
	"github.com/gsyncd/gsyncd-host/sdk"
)

func TestTeller(t *testing.T) {
	var buf bytes.Buffer
	drop := func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}
	tell := teller{log: slog.New(slog.NewTextHandler(&buf, &slog.HandlerOptions{ReplaceAttr: drop}))}
	now := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	bad := []report.Problem{{Path: "a\x1b", Side: sdk.Primary, Kind: sdk.KindPermission, Cause: "no", Next: now}}
	for i, step := range []struct {
		after time.Duration
		snap  report.Snapshot
		want  string // what this adds to the log
	}{
		{0, report.Snapshot{State: report.Looking}, ""},
		{0, report.Snapshot{State: report.InSync, Done: report.Counts{Files: 2, Bytes: 5}, Entries: 3}, "level=INFO msg=\"in sync\" files=2 bytes=5 deletes=0 entries=3\n"},
		{time.Second, report.Snapshot{State: report.InSync, Done: report.Counts{Files: 3, Bytes: 6, Visited: 4}, Entries: 4}, ""},
		{time.Minute, report.Snapshot{State: report.InSync, Done: report.Counts{Files: 4, Bytes: 7}, Entries: 5}, "level=INFO msg=\"in sync\" files=2 bytes=2 deletes=0 entries=5\n"},
		{time.Hour, report.Snapshot{State: report.InSync, Done: report.Counts{Files: 4, Bytes: 7, Visited: 9}}, ""},
		{0, report.Snapshot{State: report.Waiting, Problems: bad}, "level=WARN msg=problem path=\"a\\x1b\" side=primary kind=permission cause=no next=03:04:05\n"},
		{0, report.Snapshot{State: report.Waiting, Problems: bad}, ""},
		{0, report.Snapshot{State: report.InSync, Done: report.Counts{Files: 4, Bytes: 7}}, "level=INFO msg=\"problem is over\" path=\"a\\x1b\"\nlevel=INFO msg=\"in sync\" files=0 bytes=0 deletes=0 entries=0\n"},
		{0, report.Snapshot{State: report.Restarting}, ""},
		{0, report.Snapshot{State: report.InSync, Done: report.Counts{Files: 4, Bytes: 7}}, "level=INFO msg=\"in sync\" files=0 bytes=0 deletes=0 entries=0\n"},
	} {
		now = now.Add(step.after)
		step.snap.Now = now
		buf.Reset()
		tell.tell(step.snap)
		if got := buf.String(); got != step.want {
			t.Errorf("step %d: %q, want %q", i, got, step.want)
		}
	}

	many := report.Snapshot{State: report.Waiting, Now: now, ProblemCount: 50}
	for i := range 50 {
		many.Problems = append(many.Problems, report.Problem{Path: sdk.Path(strings.Repeat("x", i+1))})
	}
	buf.Reset()
	tell.tell(many)
	if got := strings.Count(buf.String(), "\n"); got != tellProblems+1 || !strings.Contains(buf.String(), "count=30 all=50") {
		t.Errorf("50 problems make %d lines", got)
	}
}
