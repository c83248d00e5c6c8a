package mirror

import (
	"context"
	"slices"
	"time"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// publishLoop publishes whenever enough is staged, or has waited long enough,
// until done is closed.
func (t *turn) publishLoop(ctx context.Context, done <-chan struct{}) error {
	tick := time.NewTicker(publishAfter)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-done:
			return nil
		case <-t.wake:
		case <-tick.C:
		}
		if err := t.publish(ctx); err != nil {
			return err
		}
	}
}

// publish makes what is staged durable and visible. The one sync serves both
// the data of files about to be renamed and the directories completed by the
// publish before, which then get their marks.
func (t *turn) publish(ctx context.Context) error {
	t.publishing.Lock()
	defer t.publishing.Unlock()
	t.mu.Lock()
	select { // what was asked for up to now is served by this
	case <-t.wake:
	default:
	}
	p := &publication{turn: t, staged: t.staged, metas: t.metas, final: t.final}
	parted := t.parted
	t.staged, t.metas, t.final, t.parted, t.stagedBytes = nil, nil, nil, nil, 0
	t.mu.Unlock()
	p.sync = len(p.staged)+len(p.final) > 0
	carryOut := p.atOnce
	if slices.ContainsFunc(p.staged, func(f stagedFile) bool { return len(t.others(&f)) > 0 }) {
		carryOut = p.inSteps
	}
	if err := carryOut(ctx); err != nil {
		t.restage(p.staged)
		return err
	}
	if err := t.relink(ctx, parted); err != nil {
		return err
	}
	return t.settle(ctx)
}

// restage gives staged files back, so that sweep finds them.
func (t *turn) restage(staged []stagedFile) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.staged = append(t.staged, staged...)
}

// sweep removes what lies staged after a turn that broke off. What it cannot
// remove the next visit of the directory will.
func (t *turn) sweep(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	t.mu.Lock()
	staged := t.staged
	t.staged = nil
	t.mu.Unlock()
	ops := make([]sdk.Op, len(staged))
	for i := range staged {
		ops[i] = sdk.Op{Kind: sdk.OpRemove, Path: staged[i].staged}
	}
	if _, err := t.apply(ctx, ops); err != nil {
		t.Logger.Debug("staged files stay for the next turn", "count", len(ops), "error", err)
	}
}
