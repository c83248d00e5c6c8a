package mirror_test

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/gsyncd/gsyncd-host/host/mirror"
	"github.com/gsyncd/gsyncd-host/host/report"
)

// await waits until the mirror that runs meanwhile shows what is wanted.
func (r *rig) await(ctx context.Context, want func(report.Snapshot) bool) {
	r.t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		if t := r.running.Load(); t != nil && want(t.Snapshot()) {
			return
		}
		select {
		case <-ctx.Done():
			r.t.Fatal("the mirror did not come to what is waited for")
		case <-tick.C:
		}
	}
}

// start lets the mirror run. end ends it, and may be called twice.
func (r *rig) start() (ctx context.Context, end func() error) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), 10*patience) // of all that is waited for
	r.running.Store(nil)
	ended := make(chan error, 1)
	go func() {
		err := r.runContext(ctx, mirror.Options{})
		if ctx.Err() == nil {
			r.t.Errorf("the mirror ended: %v", err)
		}
		ended <- err
	}()
	return ctx, sync.OnceValue(func() error {
		cancel()
		return <-ended
	})
}

// follow lets the mirror run and waits until it is in sync. end ends it, and may be
// called twice.
func (r *rig) follow() (ctx context.Context, end func()) {
	r.t.Helper()
	ctx, stop := r.start()
	end = sync.OnceFunc(func() {
		if err := stop(); !errors.Is(err, context.Canceled) {
			r.t.Errorf("the mirror ended: %v", err)
		}
	})
	r.t.Cleanup(end)
	r.await(ctx, func(s report.Snapshot) bool { return s.State == report.InSync })
	return ctx, end
}

// same waits until both trees are equal, and the mirror says so.
func (r *rig) same(ctx context.Context, after string) {
	r.t.Helper()
	limit := time.Now().Add(patience)
	r.await(ctx, func(s report.Snapshot) bool {
		if s.State == report.InSync && unequal(r) == "" {
			return true
		}
		if time.Now().After(limit) {
			r.t.Fatalf("after %s: %s; %s, problems %+v", after, unequal(r), s.State, s.Problems)
		}
		return false
	})
}

// untilEqual lets the mirror run while something happens, and until the trees are equal.
func (r *rig) untilEqual(do func()) {
	r.t.Helper()
	ctx, end := r.start()
	defer func() { _ = end() }()
	do()
	limit := time.Now().Add(patience)
	r.await(ctx, func(s report.Snapshot) bool {
		last := unequal(r)
		if last != "" && time.Now().After(limit) {
			r.t.Errorf("%s after the last change: %s\n%s after %d looks, problems: %+v", patience, last, s.State, s.Turns, s.Problems)
			return true
		}
		return last == "" || r.t.Failed()
	})
}

// still waits until the mirror looks at nothing any more.
func (r *rig) still(ctx context.Context) {
	r.t.Helper()
	var turns int64
	var since time.Time
	r.await(ctx, func(s report.Snapshot) bool {
		if s.Turns != turns || s.State != report.InSync { // a look may take a while
			turns, since = s.Turns, time.Now()
		}
		return time.Since(since) > stillTime
	})
}

// stillTime is longer than a look at what was too young is put off, but where change
// times have a grain of seconds.
const stillTime = 150 * time.Millisecond

// patience is how long a test waits for what must come true: how fast that is nobody
// promises.
const patience = 2 * time.Minute
