package wasmrun

import (
	"context"
	"sync"
	"time"
)

// budget bounds the time that a guest may work for one answer. Time that it waits
// for the host does not count: the host's functions have bounds of their own.
type budget struct {
	end context.CancelFunc

	mu     sync.Mutex
	left   time.Duration
	since  time.Time // zero while it is paused
	timer  *time.Timer
	ended  bool // by the timer
	closed bool
}

// startBudget returns a context that ends when the time is used up.
func startBudget(ctx context.Context, left time.Duration) (context.Context, *budget) {
	b := &budget{left: left}
	ctx, b.end = context.WithCancel(ctx)
	b.since = time.Now()
	b.timer = time.AfterFunc(left, b.out)
	return ctx, b
}

func (b *budget) out() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed || b.since.IsZero() || time.Since(b.since) < b.left {
		return // too late, paused, or it was given more meanwhile
	}
	b.ended = true
	b.end()
}

// pause stops the clock; resume lets it go on.
func (b *budget) pause() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.since.IsZero() {
		b.left -= time.Since(b.since)
		b.since = time.Time{}
		b.timer.Stop()
	}
}

func (b *budget) resume() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.since = time.Now()
	b.timer.Reset(max(b.left, 0))
}

// shorten leaves no more than d.
func (b *budget) shorten(d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.since.IsZero() {
		b.left -= time.Since(b.since)
		b.since = time.Now()
	}
	b.left = min(b.left, d)
	if !b.since.IsZero() && !b.closed {
		b.timer.Reset(max(b.left, 0))
	}
}

// close ends the context and reports whether the time was used up.
func (b *budget) close() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	b.timer.Stop()
	b.end()
	return b.ended
}
