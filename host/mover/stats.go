package mover

import (
	"maps"
	"slices"
	"strings"
	"sync"
)

// MethodStat is what one method did.
type MethodStat struct {
	Method  string
	Files   int            // that were made
	Bytes   int64          // their sizes
	Moved   int64          // bytes written, or that had to cross
	Seconds float64        // that its workers were busy, added up
	Reasons map[string]int // files by the reason for the method
}

type stats struct {
	mu sync.Mutex
	by map[string]*MethodStat
}

func newStats() *stats { return &stats{by: map[string]*MethodStat{}} }

func (s *stats) method(name string) *MethodStat {
	m := s.by[name]
	if m == nil {
		m = &MethodStat{Method: name, Reasons: map[string]int{}}
		s.by[name] = m
	}
	return m
}

func (s *stats) add(r *Result) {
	if r.Err != nil || r.Unchanged || r.Method == "" {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.method(r.Method)
	m.Files++
	m.Bytes += r.Bytes
	m.Moved += r.Moved
	m.Reasons[r.Reason]++
}

func (s *stats) busy(method string, seconds float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.method(method).Seconds += seconds
}

func (s *stats) list() []MethodStat {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]MethodStat, 0, len(s.by))
	for _, m := range s.by {
		c := *m
		c.Reasons = maps.Clone(m.Reasons)
		out = append(out, c)
	}
	slices.SortFunc(out, func(a, b MethodStat) int { return strings.Compare(a.Method, b.Method) })
	return out
}
