package resume

import (
	"fmt"
	"time"
)

// watch drops connections that are silent and ends the stream when its window is
// over.
func (s *Stream) watch() {
	tick := time.NewTicker(s.options.silence() / 4)
	defer tick.Stop()
	for {
		select {
		case <-s.ctx.Done():
			return
		case <-tick.C:
		}
		s.look()
	}
}

func (s *Stream) look() {
	s.mu.Lock()
	defer s.mu.Unlock()
	limit := s.options.silence()
	if c := s.conn; c != nil {
		silent := time.Since(c.lastHeard())
		switch {
		case silent >= limit:
			s.drop(c, fmt.Errorf("no sign of life for %s", limit.Round(time.Millisecond)))
		case silent >= limit/4:
			c.ping = true
			s.changed.Broadcast()
		}
	}
	if window := s.options.window(); s.conn == nil && time.Since(s.heard) >= window {
		s.finish(fmt.Errorf("the connection was lost, and there was no other within %s: %w", window, s.reason))
	}
}

// redial makes connections until one works or the stream ends.
func (s *Stream) redial() {
	for {
		s.mu.Lock()
		wait := s.wait
		s.wait = min(2*wait, maxBackOff)
		s.mu.Unlock()
		select {
		case <-s.ctx.Done():
			return
		case <-time.After(wait):
		}
		s.mu.Lock()
		waiting := s.conn == nil
		s.dialing = !s.lost.IsZero()
		back := !s.dialing
		s.mu.Unlock()
		if back {
			return
		}
		if !waiting {
			continue // the last one has not said hello yet
		}
		conn, err := s.options.Dial(s.ctx)
		if err == nil {
			_ = s.Attach(conn)
			continue
		}
		s.mu.Lock()
		s.reason = err
		if isFinal(err) {
			s.finish(fmt.Errorf("the connection was lost and cannot be made anew: %w", err))
		}
		s.mu.Unlock()
	}
}
