package cli

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/gsyncd/gsyncd-host/config/diag"
	"github.com/gsyncd/gsyncd-host/host/report"
)

// live shows a line per mirror at the foot of a terminal, and lets log lines
// pass above it. It is an io.Writer for the logger.
type live struct {
	mu    sync.Mutex
	out   io.Writer
	width int
	rows  int // of the terminal; 0: not known
	shown int // lines now on the screen
	last  []string
}

const (
	liveEvery  = 200 * time.Millisecond
	clearLines = "\x1b[%dA\r\x1b[J" // up, to the margin, erase to the end
	fallWidth  = 80
)

// Write prints log lines above the live ones.
func (l *live) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.erase()
	n, err := l.out.Write(p)
	l.draw()
	return n, err
}

// show replaces the live lines.
func (l *live) show(snaps []report.Snapshot) {
	l.mu.Lock()
	defer l.mu.Unlock()
	lines := make([]string, len(snaps))
	for i := range snaps {
		lines[i] = liveLine(&snaps[i])
	}
	if slices.Equal(lines, l.last) {
		return
	}
	l.erase()
	l.last = lines
	l.draw()
}

// close takes the live lines away.
func (l *live) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.erase()
	l.last = nil
}

func (l *live) erase() {
	if l.shown > 0 {
		_, _ = fmt.Fprintf(l.out, clearLines, l.shown)
		l.shown = 0
	}
}

func (l *live) draw() {
	width := l.width
	if width <= 0 {
		width = fallWidth
	}
	lines := l.last
	if l.rows > 2 && len(lines) >= l.rows {
		// What has scrolled away could not be erased again.
		more := len(lines) - (l.rows - 2)
		lines = append(slices.Clone(lines[:l.rows-2]), fmt.Sprintf("and %d more mirrors", more))
	}
	for _, line := range lines {
		// A wrapped line would be two, and could not be erased again.
		if r := []rune(line); len(r) >= width {
			line = string(r[:width-1])
		}
		_, _ = fmt.Fprintln(l.out, line)
		l.shown++
	}
}

// liveLine is a mirror's state in one line.
func liveLine(s *report.Snapshot) string {
	parts := []string{diag.Clean(s.Mirror) + ": " + string(s.State)}
	switch s.State {
	case report.Syncing:
		parts = append(parts, fmt.Sprintf("%s files", humanize.Comma(s.Done.Files)))
		size := bytesText(s.Done.Bytes)
		if s.PendingBytes > 0 {
			size += " of " + bytesText(s.Done.Bytes+s.PendingBytes)
		}
		parts = append(parts, size)
		if s.Rate > 0 {
			parts = append(parts, bytesText(int64(s.Rate))+"/s")
		}
		if s.ETASeconds > 0 {
			parts = append(parts, "ETA "+shortDuration(time.Duration(s.ETASeconds*float64(time.Second))))
		}
	case report.InSync, report.Waiting, report.Looking:
		entries := humanize.Comma(s.Entries) + " entries"
		if s.Entries == 1 {
			entries = "1 entry"
		}
		parts = append(parts, entries, bytesText(s.Bytes))
		switch {
		case s.Synced.IsZero():
		case s.State == report.InSync:
			parts = append(parts, "seen "+shortDuration(s.Now.Sub(s.Synced))+" ago")
		default:
			parts = append(parts, "in sync "+shortDuration(s.Now.Sub(s.Synced))+" ago")
		}
	case report.Restarting, report.Failed:
		parts = append(parts, diag.Clean(s.Error))
	}
	if s.ProblemCount > 0 {
		parts = append(parts, plural(int64(s.ProblemCount), "problem"))
	}
	return strings.Join(parts, ", ")
}

func bytesText(n int64) string { return humanize.IBytes(uint64(max(n, 0))) }

func plural(n int64, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return humanize.Comma(n) + " " + what + "s"
}

// shortDuration gives 42s, 3m05s, 2h10m.
func shortDuration(d time.Duration) string {
	d = d.Round(time.Second)
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
	}
	return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
}
