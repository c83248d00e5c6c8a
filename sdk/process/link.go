package process

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// Timeouts bound how long a plugin may be silent. What a caller's context
// allows is never exceeded.
type Timeouts struct {
	// Call is for calls that should be answered at once: Describe, Check,
	// Identity, Stat, Beacon, Close. 0 means 1 minute.
	Call time.Duration
	// Work is for calls whose work may be long (Open, Apply, Sync) and for the
	// time between two messages of a stream. 0 means 15 minutes.
	Work time.Duration
}

func (t Timeouts) withDefaults() Timeouts {
	if t.Call <= 0 {
		t.Call = time.Minute
	}
	if t.Work <= 0 {
		t.Work = max(15*time.Minute, t.Call)
	}
	return t
}

// link is a connection to a plugin.
type link struct {
	conn     grpc.ClientConnInterface
	timeouts Timeouts
	// hung is called when the plugin was silent for too long; may be nil.
	hung func(err error)
	peer string        // what the other end is called
	why  func() string // why it is gone; may be nil
}

// Option changes how a connection is used.
type Option func(*link)

// WithTimeouts sets the bounds on silence.
func WithTimeouts(t Timeouts) Option {
	return func(l *link) { l.timeouts = t.withDefaults() }
}

// WithHung sets what is called when the plugin was silent for too long. It
// should kill the plugin.
func WithHung(hung func(err error)) Option {
	return func(l *link) { l.hung = hung }
}

// withPeer sets what the other end is called, and what tells why it is gone.
func withPeer(name string, why func() string) Option {
	return func(l *link) {
		if name != "" {
			l.peer = name
		}
		l.why = why
	}
}

func newLink(conn grpc.ClientConnInterface, opts []Option) *link {
	l := &link{conn: conn, timeouts: Timeouts{}.withDefaults(), peer: "the plugin"}
	for _, o := range opts {
		o(l)
	}
	return l
}

// call runs a unary call that may take limit.
func (l *link) call(ctx context.Context, op string, limit time.Duration, f func(context.Context) error) error {
	w := watch(ctx, limit)
	defer w.end()
	w.start()
	err := f(w.ctx)
	w.stop()
	return l.failure(w, op, err)
}

// failure makes of a transport's error what the contract says.
func (l *link) failure(w *watchdog, op string, err error) error {
	if err == nil {
		return nil
	}
	if cause := w.parent.Err(); cause != nil {
		return fmt.Errorf("%s: %w", op, cause)
	}
	if w.bitten.Load() {
		silent := &sdk.Error{Kind: sdk.KindGone, Op: op, Msg: fmt.Sprintf("%s did not answer for %s", l.peer, w.limit)}
		if l.hung != nil {
			l.hung(silent)
		}
		return silent
	}
	s := status.Convert(err)
	switch s.Code() {
	case codes.Unavailable, codes.Canceled:
		return l.gone(op)
	case codes.DeadlineExceeded:
		// The caller's deadline, seen by the other side a moment earlier.
		return fmt.Errorf("%s: %w", op, context.DeadlineExceeded)
	case codes.Unimplemented:
		return &sdk.Error{Kind: sdk.KindUnsupported, Op: op, Msg: l.peer + " does not offer this call"}
	}
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return l.gone(op)
	}
	return &sdk.Error{Kind: sdk.KindFatal, Op: op, Msg: s.Code().String() + ": " + s.Message()}
}

// gone is the error of a call whose other end is no longer there.
func (l *link) gone(op string) *sdk.Error {
	msg := l.peer + " is gone"
	if l.why != nil {
		if why := l.why(); why != "" {
			msg += ": " + why
		}
	}
	return &sdk.Error{Kind: sdk.KindGone, Op: op, Msg: msg}
}

// watchdog ends a context when a plugin is silent for longer than its limit.
// Time in which nothing is expected of the plugin does not count.
type watchdog struct {
	parent context.Context
	ctx    context.Context
	end    context.CancelFunc
	limit  time.Duration
	timer  *time.Timer
	bitten atomic.Bool
}

func watch(ctx context.Context, limit time.Duration) *watchdog {
	w := &watchdog{parent: ctx, limit: limit}
	w.ctx, w.end = context.WithCancel(ctx)
	return w
}

// start begins to wait for the plugin.
func (w *watchdog) start() {
	if w.timer != nil {
		w.timer.Reset(w.limit)
		return
	}
	w.timer = time.AfterFunc(w.limit, func() {
		w.bitten.Store(true)
		w.end()
	})
}

// stop ends the wait.
func (w *watchdog) stop() { w.timer.Stop() }

// recv receives from a stream under the watchdog.
func recv[T any](w *watchdog, stream interface{ Recv() (*T, error) }) (*T, error) {
	w.start()
	defer w.stop()
	return stream.Recv()
}

// send sends to a stream under the watchdog: a full window is the plugin's
// silence too.
func send[T any](w *watchdog, stream interface{ Send(*T) error }, m *T) error {
	w.start()
	defer w.stop()
	return stream.Send(m)
}
