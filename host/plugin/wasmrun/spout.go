package wasmrun

import (
	"bytes"
	"context"
	"log/slog"
	"sync"
	"time"
)

const (
	// spoutBurst is how many bytes guests may say at once, and spoutRate how many in
	// each second after that. The rest is dropped.
	spoutBurst = 64 << 10
	spoutRate  = 8 << 10
	maxLine    = 4 << 10
	// maxPiece is how much of one piece that is written is looked at: there is room
	// for no more of it. What a guest writes at once may have millions of pieces.
	maxPiece = spoutBurst
)

// spout passes what guests say to the log, as far as it is not too much.
type spout struct {
	log *slog.Logger

	mu      sync.Mutex
	left    int
	at      time.Time
	dropped int
}

func newSpout(log *slog.Logger) *spout { return &spout{log: log, left: spoutBurst, at: time.Now()} }

// say logs a line if there is room for it.
func (s *spout) say(level slog.Level, message string, args ...any) {
	if !s.log.Enabled(context.Background(), level) {
		return
	}
	size := len(message) + 64
	for _, a := range args {
		if text, ok := a.(string); ok {
			size += len(text)
		}
	}
	dropped, ok := s.take(size)
	if dropped > 0 && ok {
		s.log.Warn("the guest said too much", "dropped_bytes", dropped)
	}
	if ok {
		s.log.Log(context.Background(), level, message, args...)
	}
}

// take takes room, and says how much was dropped since there was some.
func (s *spout) take(size int) (dropped int, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	s.left = min(spoutBurst, s.left+int(min(now.Sub(s.at), time.Minute)*spoutRate/time.Second))
	s.at = now
	if size > s.left {
		s.dropped += size
		return 0, false
	}
	s.left -= size
	dropped, s.dropped = s.dropped, 0
	return dropped, true
}

// drop counts what was not looked at.
func (s *spout) drop(size int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dropped += size
}

// lines is a guest's standard output or error: each line goes to the log, and the
// first one is kept for whoever asks why it ended. It is for one goroutine.
type lines struct {
	out    *spout
	source string
	ended  func() error // why the guest may not go on, nil if it may
	part   []byte
	first  string // since reset
}

// Write implements [io.Writer]. Its error ends what the guest writes: nothing else
// could, since the guest itself is not at work then.
func (l *lines) Write(p []byte) (int, error) {
	if err := l.ended(); err != nil {
		return 0, err
	}
	n := len(p)
	if n > maxPiece {
		l.out.drop(n - maxPiece)
		p = p[:maxPiece]
	}
	for len(p) > 0 {
		line, rest, whole := bytes.Cut(p, []byte{'\n'})
		l.part = append(l.part, line[:min(len(line), maxLine-len(l.part))]...)
		if !whole {
			break
		}
		p = rest
		l.flush()
	}
	return n, nil
}

func (l *lines) flush() {
	line := string(bytes.TrimRight(l.part, "\r"))
	l.part = l.part[:0]
	if line == "" {
		return
	}
	if l.first == "" {
		l.first = line
	}
	l.out.say(slog.LevelWarn, "guest wrote", "to", l.source, "line", line)
}

// reset forgets what was said before a call, and returns it.
func (l *lines) reset() string {
	l.flush()
	said := l.first
	l.first = ""
	return said
}
