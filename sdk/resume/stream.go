package resume

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"
)

// errReplaced is why a connection ends when there is a newer one.
var errReplaced = errors.New("another connection took its place")

// Stream is one end of a stream. Its methods may be called concurrently; of
// Reads and of Writes one at a time makes sense.
type Stream struct {
	options Options
	ctx     context.Context // until the stream's end
	cancel  context.CancelFunc

	mu      sync.Mutex
	changed *sync.Cond
	out     ring   // written, from what the other end has read on
	sent    uint64 // how far out was ever sent
	in      ring   // received and not read
	conn    *carrier
	heard   time.Time     // the last sign of life
	lost    time.Time     // when the last connection was; zero if there is one
	reason  error         // why it was lost, or could not be made anew
	dialing bool          // redial runs
	wait    time.Duration // before its next try
	closing bool
	ended   bool
	err     error // why it ended: nil for the other end's orderly end
}

var _ io.ReadWriteCloser = (*Stream)(nil)

// New makes a stream over its first connection, which it owns.
func New(conn io.ReadWriteCloser, o Options) *Stream {
	s := &Stream{options: o, heard: time.Now(), wait: minBackOff}
	s.changed = sync.NewCond(&s.mu)
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.mu.Lock()
	s.attach(conn, true)
	s.mu.Unlock()
	go s.watch()
	return s
}

// Attach gives the stream a new connection, which it owns. One that it has is
// dropped. The error says that the stream has ended.
func (s *Stream) Attach(conn io.ReadWriteCloser) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended || s.closing {
		go func() { _ = conn.Close() }()
		return s.end(io.ErrClosedPipe)
	}
	s.drop(s.conn, errReplaced)
	s.attach(conn, false)
	return nil
}

// attach starts to use a connection. s.mu is held.
func (s *Stream) attach(conn io.ReadWriteCloser, first bool) {
	s.conn = &carrier{stream: s, rw: conn, first: first, ready: first, ack: !first, received: s.in.end}
	s.conn.hear()
	go s.conn.receive()
	go s.conn.send()
	s.changed.Broadcast()
}

// Read implements [io.Reader]. After the other end's Close it is io.EOF, once
// all was read.
func (s *Stream) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.in.len() == 0 && !s.ended && !s.closing {
		s.changed.Wait()
	}
	if s.closing || s.in.len() == 0 {
		return 0, s.end(io.EOF)
	}
	n := 0
	for n < len(p) && s.in.len() > 0 {
		m := copy(p[n:], s.in.at(s.in.start))
		s.in.drop(s.in.start + uint64(m))
		n += m
	}
	if s.conn != nil && s.in.start-s.conn.acked >= ackEvery {
		s.conn.ack = true
		s.changed.Broadcast()
	}
	return n, nil
}

// Write implements [io.Writer]. It waits while [Buffer] bytes are under way.
// That it returns does not mean that the bytes have arrived.
func (s *Stream) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for n < len(p) {
		for s.out.len() >= Buffer && !s.ended && !s.closing {
			s.changed.Wait()
		}
		if s.ended || s.closing {
			return n, s.end(io.ErrClosedPipe)
		}
		m := min(len(p)-n, Buffer-s.out.len())
		s.out.add(p[n : n+m])
		n += m
		s.changed.Broadcast()
	}
	return n, nil
}

// end is the error of a call after the end; otherwise is that after an orderly
// one. s.mu is held.
func (s *Stream) end(otherwise error) error {
	switch {
	case s.err != nil:
		return s.err
	case s.closing:
		return io.ErrClosedPipe
	}
	return otherwise
}

// Close implements [io.Closer]. If there is a connection, the other end gets what
// was written, and learns of the end. It may be called twice.
func (s *Stream) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		return nil
	}
	s.closing = true
	s.changed.Broadcast()
	stop := time.AfterFunc(closeGrace, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.finish(nil)
	})
	defer stop.Stop()
	for !s.ended && s.conn != nil {
		s.changed.Wait()
	}
	s.finish(nil)
	return nil
}

// End ends the stream at once: the other end is not told, and err is what calls
// on this end return.
func (s *Stream) End(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.finish(err)
}

// Err is why the stream ended: nil while it lives, and after an orderly end.
func (s *Stream) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// Done is closed when the stream has ended.
func (s *Stream) Done() <-chan struct{} { return s.ctx.Done() }

// Alive asks the other end for a sign of life and reports whether one came before
// ctx ended. Without a connection there is none.
func (s *Stream) Alive(ctx context.Context) bool {
	stop := context.AfterFunc(ctx, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.changed.Broadcast()
	})
	defer stop()
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.conn
	if c == nil {
		return false
	}
	before := c.frames
	c.ping = true
	s.changed.Broadcast()
	for s.conn == c && c.frames == before && ctx.Err() == nil {
		s.changed.Wait()
	}
	return c.frames != before
}

// finish ends the stream. s.mu is held.
func (s *Stream) finish(err error) {
	if s.ended {
		return
	}
	s.ended, s.err = true, err
	s.drop(s.conn, err)
	s.cancel()
	s.changed.Broadcast()
}

// drop gives up a connection, if it is still in use. s.mu is held.
func (s *Stream) drop(c *carrier, why error) {
	if c == nil || s.conn != c {
		return
	}
	s.conn = nil
	s.changed.Broadcast()
	go func() { _ = c.rw.Close() }() // on a link that hangs it may take its time
	if s.ended || s.closing {
		return
	}
	s.reason = why
	if !s.lost.IsZero() {
		return // that one never worked
	}
	s.lost = time.Now()
	if s.options.Lost != nil && !errors.Is(why, errReplaced) {
		s.options.Lost(why)
	}
	if s.options.Dial != nil && !s.dialing {
		s.dialing = true
		go s.redial()
	}
}
