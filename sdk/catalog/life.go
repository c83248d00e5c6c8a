package catalog

import (
	"context"
	"sync"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// Life counts the calls of a resource, so that its Close can end them. The zero
// Life is one of an open resource.
type Life struct {
	mu     sync.Mutex
	calls  map[*context.CancelFunc]struct{}
	idle   chan struct{} // closed once no call runs, while somebody waits
	closed bool
}

// Enter begins a call: the context returned ends with the caller's or with
// Close. leave must be called. After Close the error is of KindGone.
func (l *Life) Enter(ctx context.Context, op string) (_ context.Context, leave func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, nil, &sdk.Error{Kind: sdk.KindGone, Op: op, Msg: "the resource is closed"}
	}
	ctx, cancel := context.WithCancel(ctx)
	if l.calls == nil {
		l.calls = map[*context.CancelFunc]struct{}{}
	}
	l.calls[&cancel] = struct{}{}
	return ctx, func() {
		cancel()
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.calls, &cancel)
		if len(l.calls) == 0 && l.idle != nil {
			close(l.idle)
			l.idle = nil
		}
	}, nil
}

// Close ends all calls, waits for them, and reports whether it was the first.
func (l *Life) Close() (first bool) {
	l.mu.Lock()
	first = !l.closed
	l.closed = true
	for cancel := range l.calls {
		(*cancel)()
	}
	var idle chan struct{}
	if len(l.calls) > 0 {
		if l.idle == nil {
			l.idle = make(chan struct{})
		}
		idle = l.idle
	}
	l.mu.Unlock()
	if idle != nil {
		<-idle
	}
	return first
}
