package wasm

import (
	"context"
)

// stream hands out what a call on a resource reports, piece by piece. The call
// runs in a goroutine of its own, at most one piece ahead of who asks.
type stream struct {
	pieces chan []byte
	taken  chan struct{}
	done   chan struct{}
	err    error // once done is closed
	stop   context.CancelFunc
}

// emit hands out one piece, which is the caller's again when it returns.
type emit func(piece []byte) error

// newStream starts run, which ends with life.
func newStream(life context.Context, run func(ctx context.Context, out emit) error) *stream {
	ctx, stop := context.WithCancel(life)
	s := &stream{pieces: make(chan []byte), taken: make(chan struct{}), done: make(chan struct{}), stop: stop}
	go func() {
		defer close(s.done)
		s.err = run(ctx, func(piece []byte) error {
			select {
			case s.pieces <- piece:
				<-s.taken
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
	}()
	return s
}

// next appends the next piece to b. more is false after the last.
func (s *stream) next(ctx context.Context, b []byte) (out []byte, more bool, err error) {
	select {
	case piece := <-s.pieces:
		b = append(b, piece...)
		s.taken <- struct{}{}
		return b, true, nil
	case <-s.done:
		return b, false, s.err
	case <-ctx.Done():
		return b, false, ctx.Err()
	}
}

// close ends the stream and waits for its goroutine.
func (s *stream) close() {
	s.stop()
	<-s.done
}
