package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/gsyncd/gsyncd-host/config/diag"
	"github.com/gsyncd/gsyncd-host/host/report"
)

// maxShown is how many problems the text form lists.
const maxShown = 20

// writeSummary prints what became of a mirror, which ended with err: one line,
// the methods taken, then its problems.
func writeSummary(w io.Writer, s *report.Snapshot, end error) error {
	var b strings.Builder
	state := string(s.State)
	if s.State == report.Stopped {
		switch {
		case s.ProblemCount > 0:
			state = "finished with problems"
		case end == nil:
			state = string(report.InSync)
		case !s.Synced.IsZero():
			state += ", last in sync at " + s.Synced.Format(time.TimeOnly)
		}
	}
	fmt.Fprintf(&b, "%s: %s: %s (%s), %s, %s, %.1f s\n", diag.Clean(s.Mirror), state,
		plural(s.Done.Files, "file"), bytesText(s.Done.Bytes), deletesText(s.Done.Deletes),
		plural(int64(s.ProblemCount), "problem"), s.Now.Sub(s.Started).Seconds())
	if s.Error != "" {
		fmt.Fprintf(&b, "  %s\n", diag.Clean(s.Error))
	}
	for _, m := range s.Methods {
		if m.Files == 0 {
			continue // it only compared
		}
		fmt.Fprintf(&b, "  %s: %s (%s): %s\n", m.Name, plural(m.Files, "file"), bytesText(m.Bytes), reasonsText(m.Reasons))
	}
	for i, p := range s.Problems {
		if i == maxShown {
			break
		}
		fmt.Fprintf(&b, "  problem: %s: %s on the %s: %s; tried %s, again at the next run\n", diag.Clean(string(p.Path)), p.Kind, p.Side,
			diag.Clean(p.Cause), times(p.Attempts))
	}
	if more := s.ProblemCount - maxShown; more > 0 {
		fmt.Fprintf(&b, "  and %s more; --json lists up to 1,000\n", plural(int64(more), "problem"))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// writeJSON prints a snapshot as one line of JSON.
func writeJSON(w io.Writer, s *report.Snapshot) error {
	return json.NewEncoder(w).Encode(s)
}

func deletesText(n int64) string { return plural(n, "delete") }

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}

// reasonsText lists reasons, the most frequent first.
func reasonsText(reasons map[string]int) string {
	names := make([]string, 0, len(reasons))
	for name := range reasons {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int {
		if reasons[a] != reasons[b] {
			return reasons[b] - reasons[a]
		}
		return strings.Compare(a, b)
	})
	for i, name := range names {
		names[i] = fmt.Sprintf("%s %d", name, reasons[name])
	}
	return strings.Join(names, ", ")
}
