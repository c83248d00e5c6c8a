package process

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
)

// maxLine is the longest line that is logged in one piece.
const maxLine = 8 << 10

// lineLogger logs what is written to it, line by line. It takes what a plugin's
// libraries print to the standard streams.
type lineLogger struct {
	mu    sync.Mutex
	log   *slog.Logger
	level slog.Level
	part  []byte
}

// Write implements [io.Writer]; it never fails.
func (l *lineLogger) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.part = append(l.part, p...)
	for {
		i := bytes.IndexByte(l.part, '\n')
		if i < 0 && len(l.part) < maxLine {
			return len(p), nil
		}
		line := l.part[:min(len(l.part), maxLine)]
		if i >= 0 && i <= maxLine {
			line = l.part[:i]
			i++
		} else {
			i = len(line)
		}
		if s := strings.TrimRight(string(line), "\r"); s != "" {
			l.log.Log(context.Background(), l.level, s)
		}
		l.part = append(l.part[:0], l.part[i:]...)
	}
}

// tail keeps the end of what is written to it, for an error that must say why a
// plugin did not start.
type tail struct {
	mu sync.Mutex
	b  []byte
}

const tailSize = 1 << 10

// Write implements [io.Writer]; it never fails.
func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b = append(t.b, p...)
	if n := len(t.b) - tailSize; n > 0 {
		t.b = append(t.b[:0], t.b[n:]...)
	}
	return len(p), nil
}

// String gives the text in one line.
func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.Join(strings.Fields(string(t.b)), " ")
}
