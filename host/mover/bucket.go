package mover

import (
	"context"
	"sync"
	"time"
)

// bucket limits bytes a second over all that moves. Who takes more than there
// is goes into debt and waits it off, so that no piece is too large for it. A
// nil bucket sets no limit.
type bucket struct {
	rate float64 // bytes a second

	mu    sync.Mutex
	level float64 // bytes that may go at once; negative: debt
	at    time.Time
}

func newBucket(rate int64) *bucket {
	if rate <= 0 {
		return nil
	}
	return &bucket{rate: float64(rate), at: time.Now()}
}

// piece is how much to take at a time: a tenth of a second's worth, so that the
// flow is even, and not more than most.
func (b *bucket) piece(most int) int {
	if b == nil {
		return most
	}
	return int(min(float64(most), max(4<<10, b.rate/10)))
}

// charge takes n bytes without waiting and returns how long to wait for them.
func (b *bucket) charge(n int64) time.Duration {
	if b == nil {
		return 0
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	burst := b.rate / 10
	b.level = min(burst, b.level+now.Sub(b.at).Seconds()*b.rate)
	b.at = now
	b.level -= float64(n)
	if b.level >= 0 {
		return 0
	}
	return time.Duration(-b.level / b.rate * float64(time.Second))
}

// take takes n bytes and waits until they may go.
func (b *bucket) take(ctx context.Context, n int) error {
	d := b.charge(int64(n))
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
