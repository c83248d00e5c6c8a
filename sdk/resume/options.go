package resume

import (
	"context"
	"errors"
	"io"
	"time"
)

const (
	// Buffer is how many bytes may be under way each way, or wait to be read.
	Buffer = 8 << 20
	// DefaultWindow is how long a stream waits for a sign of life. It is well below
	// the minute in which calls through a stream are to be answered.
	DefaultWindow = 45 * time.Second
	// ackEvery is after how many bytes read the other end is told.
	ackEvery = 64 << 10
	// closeGrace is how long Close may take to tell the other end.
	closeGrace = time.Second
	// Between tries to connect again.
	minBackOff = 500 * time.Millisecond
	maxBackOff = 10 * time.Second
)

// Options say how a stream deals with its connections. The functions may be nil;
// they are called one at a time, and must not call the stream.
type Options struct {
	// Window is how long the stream may go without a sign of life before it ends;
	// 0 means DefaultWindow. A connection is dropped after a third of it.
	Window time.Duration
	// Dial makes a new connection to the other end's stream, for the end that
	// does. ctx ends with the stream. It is called again after an error, unless
	// that is one of Final's.
	Dial func(ctx context.Context) (io.ReadWriteCloser, error)
	// Lost is called when there is no connection any more, and says why.
	Lost func(err error)
	// Back is called when there is one again, with for how long there was none.
	Back func(after time.Duration)
}

// WindowFor is the window where people chose after how long of silence the
// other end is given up: both ends work it out alike.
func WindowFor(silence time.Duration) time.Duration { return min(silence, DefaultWindow) }

func (o Options) window() time.Duration {
	if o.Window <= 0 {
		return DefaultWindow
	}
	return o.Window
}

// silence is after how long without a sign of life a connection is dropped.
func (o Options) silence() time.Duration { return o.window() / 3 }

// finalError is an error of Dial after which there is no use in another try.
type finalError struct{ error }

// Unwrap gives the cause.
func (e finalError) Unwrap() error { return e.error }

// Final marks an error of Dial that ends the stream.
func Final(err error) error { return finalError{err} }

func isFinal(err error) bool {
	var f finalError
	return errors.As(err, &f)
}
