package ssh

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
)

const (
	maxLine  = 4 << 10
	maxTail  = 3   // lines
	maxShown = 400 // bytes of the tail in an error
)

// saying takes what the far side writes to its standard error: it goes to the
// log line by line, and the last lines are kept for an error. Write may run at
// the same time as last.
type saying struct {
	log *slog.Logger

	mu   sync.Mutex
	held bool // lines go to the log only once they are released
	line []byte
	tail []string
}

// Write implements [io.Writer].
func (s *saying) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(p)
	for len(p) > 0 {
		i := bytes.IndexByte(p, '\n')
		if i < 0 {
			s.line = append(s.line, p[:min(len(p), maxLine-len(s.line))]...)
			if len(s.line) == maxLine {
				s.flush()
			}
			return n, nil
		}
		s.line = append(s.line, p[:min(i, maxLine-len(s.line))]...)
		s.flush()
		p = p[i+1:]
	}
	return n, nil
}

func (s *saying) flush() {
	line := strings.ToValidUTF8(strings.TrimSpace(string(s.line)), "?")
	s.line = s.line[:0]
	if line == "" {
		return
	}
	if !s.held {
		s.show(line)
	}
	s.tail = append(s.tail, line)
	if len(s.tail) > maxTail {
		s.tail = s.tail[1:]
	}
}

func (s *saying) show(line string) { s.log.Warn("the far side says", "line", line) }

// release gives the log what was held, as far as it is kept.
func (s *saying) release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.held {
		return
	}
	s.held = false
	for _, line := range s.tail {
		s.show(line)
	}
}

// last is the last that was said, on one line.
func (s *saying) last() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	text := strings.Join(append(append([]string{}, s.tail...), strings.TrimSpace(string(s.line))), " / ")
	text = strings.TrimSuffix(text, " / ")
	if len(text) > maxShown {
		text = strings.ToValidUTF8(text[:maxShown], "") + "…"
	}
	return text
}
