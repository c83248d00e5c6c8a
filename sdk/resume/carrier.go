package resume

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"
)

// carrier is one connection of a stream. Its fields are guarded by the stream's
// mutex, but for rw and at.
type carrier struct {
	stream *Stream
	rw     io.ReadWriteCloser
	at     atomic.Pointer[time.Time] // when something was heard on it
	first  bool                      // of the stream
	ready  bool                      // it is known how far the other end got
	greets bool                      // the other end's hello has come
	frames int                       // how many have come
	// received is how far this end got before it.
	received uint64
	next     uint64 // how far was sent
	acked    uint64 // what the other end was told of what was read
	// What is to be sent.
	ack, ping, pong bool
}

func (c *carrier) hear() {
	now := time.Now()
	c.at.Store(&now)
}

func (c *carrier) lastHeard() time.Time { return *c.at.Load() }

// Read implements [io.Reader]: any byte is a sign of life.
func (c *carrier) Read(p []byte) (int, error) {
	n, err := c.rw.Read(p)
	if n > 0 {
		c.hear()
	}
	return n, err
}

// receive takes what comes until the connection is given up.
func (c *carrier) receive() {
	s := c.stream
	frames := &frameReader{r: bufio.NewReaderSize(c, maxData)}
	for {
		f, err := frames.next()
		s.mu.Lock()
		if s.conn != c {
			s.mu.Unlock()
			return // what it brings now, the next connection brings again
		}
		if err == nil {
			c.frames++
			s.heard = c.lastHeard()
			err = c.take(f)
		}
		var broken *ProtocolError
		switch {
		case errors.As(err, &broken):
			s.finish(err)
		case errors.Is(err, io.EOF):
			s.drop(c, errors.New("the connection ended"))
		case err != nil:
			s.drop(c, err)
		}
		s.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// take does what a frame says. The stream's mutex is held.
func (c *carrier) take(f frame) error {
	s := c.stream
	if c.greets == (f.kind == frameHello) {
		return &ProtocolError{Msg: "a hello is missing, or there are two"}
	}
	defer s.changed.Broadcast()
	switch f.kind {
	case frameHello:
		return c.meet(f.count)
	case frameData:
		if s.in.len()+len(f.data) > Buffer {
			return &ProtocolError{Msg: fmt.Sprintf("more than %d bytes that were not asked for", Buffer)}
		}
		s.in.add(f.data)
	case frameAck:
		if f.count < s.out.start || f.count > s.sent {
			return &ProtocolError{Msg: fmt.Sprintf("it read up to %d of %d to %d bytes", f.count, s.out.start, s.sent)}
		}
		s.out.drop(f.count)
		c.next = max(c.next, f.count)
	case framePing:
		c.pong = true
	case framePong: // it was heard
	case frameClose:
		s.finish(nil)
	}
	return nil
}

// meet hears how far the other end got.
func (c *carrier) meet(received uint64) error {
	s := c.stream
	c.greets = true
	if received < s.out.start || received > s.sent || c.first && received != 0 {
		return &ProtocolError{Msg: fmt.Sprintf("it received up to %d of %d to %d bytes", received, s.out.start, s.sent)}
	}
	if c.first {
		return nil
	}
	c.next, c.ready = received, true
	if s.options.Back != nil && !s.lost.IsZero() {
		s.options.Back(time.Since(s.lost))
	}
	s.lost, s.wait = time.Time{}, minBackOff
	return nil
}

// send writes what is to be sent until the connection is given up.
func (c *carrier) send() {
	s := c.stream
	buf := make([]byte, 0, headerSize+sendData)
	s.mu.Lock()
	defer s.mu.Unlock()
	buf = appendCount(buf, frameHello, c.received)
	for s.conn == c {
		last := false
		if len(buf) == 0 {
			if buf, last = c.fill(buf); len(buf) == 0 {
				s.changed.Wait()
				continue
			}
		}
		s.mu.Unlock()
		_, err := c.rw.Write(buf)
		s.mu.Lock()
		buf = buf[:0]
		switch {
		case last:
			s.finish(nil)
		case err != nil:
			// What the other end said before it hung up, perhaps that this is the end,
			// is still to be read; what reads finds the end of the connection too.
			time.AfterFunc(closeGrace, func() {
				s.mu.Lock()
				defer s.mu.Unlock()
				s.drop(c, err)
			})
			return
		}
	}
}

// fill appends the next frames to send; last says that nothing follows them. The
// stream's mutex is held.
func (c *carrier) fill(b []byte) (_ []byte, last bool) {
	s := c.stream
	if c.pong {
		b, c.pong = appendHeader(b, framePong, 0), false
	}
	if c.ping {
		b, c.ping = appendHeader(b, framePing, 0), false
	}
	if c.ack {
		b, c.ack, c.acked = appendCount(b, frameAck, s.in.start), false, s.in.start
	}
	if !c.ready || len(b) > 0 {
		return b, false
	}
	if part := s.out.at(c.next); len(part) > 0 {
		part = part[:min(len(part), sendData)]
		b = append(appendHeader(b, frameData, len(part)), part...)
		c.next += uint64(len(part))
		s.sent = max(s.sent, c.next)
		return b, false
	}
	if s.closing {
		return appendHeader(b, frameClose, 0), true
	}
	return b, false
}
