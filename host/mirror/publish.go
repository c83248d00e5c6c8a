package mirror

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/gsyncd/gsyncd-host/host/report"
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
	staged, metas, final, parted := t.staged, t.metas, t.final, t.parted
	t.staged, t.metas, t.final, t.parted, t.stagedBytes = nil, nil, nil, nil, 0
	t.mu.Unlock()
	if len(staged)+len(final) > 0 {
		begin := t.Clock()
		if err := t.Target.Sync(ctx); err != nil {
			t.restage(staged)
			return fmt.Errorf("sync the secondary: %w", err)
		}
		t.Logger.Debug("synced", "files", len(staged), "directories", len(final), "took", t.Clock().Sub(begin))
	}
	if err := t.markAndPlace(ctx, final, staged); err != nil {
		t.restage(staged)
		return err
	}
	if err := t.applyEntryOps(ctx, metas); err != nil {
		return err
	}
	if err := t.relink(ctx, parted); err != nil {
		return err
	}
	return t.settle(ctx)
}

// markAndPlace writes marks and puts files into place. They are not of the same
// directories and need not wait for each other, but where a file has names in
// others.
func (t *turn) markAndPlace(ctx context.Context, final []*node, staged []stagedFile) error {
	mark := func() error { return t.markAll(ctx, final) }
	place := func() error { return t.place(ctx, staged) }
	if !slices.ContainsFunc(staged, func(f stagedFile) bool { return len(t.others(&f)) > 0 }) {
		return both(mark, place)
	}
	if err := mark(); err != nil {
		return err
	}
	if err := t.unclaimOthers(ctx, staged); err != nil {
		return err
	}
	return place()
}

// restage gives staged files back, so that sweep finds them.
func (t *turn) restage(staged []stagedFile) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.staged = append(t.staged, staged...)
}

// markAll writes the marks of directories whose content is durable, deepest
// first. A mark that cannot be written hides nothing; it costs a look.
func (t *turn) markAll(ctx context.Context, nodes []*node) error {
	t.mu.Lock()
	nodes = slices.DeleteFunc(nodes, func(n *node) bool {
		if !n.failed && t.keepsMark(n) {
			t.marked(n)
			return true
		}
		return n.failed
	})
	t.mu.Unlock()
	slices.SortStableFunc(nodes, func(a, b *node) int { return cmp.Compare(depth(b.path), depth(a.path)) })
	ops := make([]sdk.Op, len(nodes))
	for i, n := range nodes {
		ops[i] = t.setMark(n.path, n.mark(t.since))
	}
	results, err := t.apply(ctx, ops)
	if err != nil {
		return err
	}
	for i, n := range nodes {
		if err := results[i].Err; err != nil {
			t.ledger.raise(n.path, sdk.Secondary, err)
			continue
		}
		t.mu.Lock()
		t.marked(n)
		t.mu.Unlock()
	}
	return nil
}

// marked notes that the directory has its mark. The lock is held.
func (t *turn) marked(n *node) {
	delete(t.partial, n.id)
	if n.parent == nil {
		t.clean = true
	}
}

// place renames staged files to their names.
func (t *turn) place(ctx context.Context, staged []stagedFile) error {
	ops := make([]sdk.Op, len(staged))
	for i := range staged {
		ops[i] = sdk.Op{Kind: sdk.OpRename, From: staged[i].staged, Path: staged[i].path}
	}
	results, err := t.apply(ctx, ops)
	if err != nil {
		return err
	}
	var counts report.Counts
	var undo []sdk.Op
	var placed []*stagedFile
	for i := range staged {
		f := &staged[i]
		if err := results[i].Err; err != nil {
			t.mu.Lock()
			for _, p := range t.others(f) {
				t.failAbove(p)
			}
			t.mu.Unlock()
			undo = append(undo, sdk.Op{Kind: sdk.OpRemove, Path: f.staged})
			t.fail(f.node, f.name, sdk.Secondary, err)
			continue
		}
		counts.Files++
		counts.Bytes += f.entry.Size
		counts.Moved += f.moved
		t.mu.Lock()
		f.node.touched = true
		t.release(f.node)
		t.mu.Unlock()
		placed = append(placed, f)
	}
	t.addCounts(counts)
	if err := t.relink(ctx, placed); err != nil {
		return err
	}
	_, err = t.apply(ctx, undo)
	return err
}

// settle completes directories that have nothing open any more: attributes now,
// the mark after the next sync. It goes up the tree as far as it can, in one go
// for all levels: each would cost a round trip.
func (t *turn) settle(ctx context.Context) error {
	wave := t.complete()
	if len(wave) == 0 {
		return nil
	}
	if err := t.setDirs(ctx, wave); err != nil {
		return err
	}
	t.mu.Lock()
	for _, n := range wave { // children before their parents
		if n.failed {
			if n.visited {
				t.partial[n.id] = partial{path: n.path, on: n.on, since: t.since, again: n.again}
			}
		} else {
			t.final = append(t.final, n)
		}
		if n.parent != nil {
			n.parent.failed = n.parent.failed || n.failed
		}
	}
	t.mu.Unlock()
	if t.every {
		return t.unclaimFailed(ctx, wave)
	}
	return nil
}

// complete takes the directories that are ready, and with them those that only
// waited for these, children before their parents.
func (t *turn) complete() []*node {
	t.mu.Lock()
	defer t.mu.Unlock()
	wave := t.ready
	t.ready = nil
	for i := 0; i < len(wave); i++ {
		if parent := wave[i].parent; parent != nil {
			t.release(parent)
		}
		wave = append(wave, t.ready...)
		t.ready = nil
	}
	return wave
}

// setDirs gives directories their attributes, now that nothing in them will
// change any more.
func (t *turn) setDirs(ctx context.Context, wave []*node) error {
	var nodes []*node
	var paths []sdk.Path
	for _, n := range wave {
		if n.touched {
			n.mask |= sdk.MetaMtime
		}
		if n.visited && n.mask != 0 {
			nodes = append(nodes, n)
			paths = append(paths, n.path)
		}
	}
	if len(nodes) == 0 {
		return nil
	}
	entries, err := t.Source.Stat(ctx, paths, sdk.FieldXattrs)
	if err != nil {
		return fmt.Errorf("read attributes: %w", err)
	}
	var ops []sdk.Op
	var of []*node
	for i, n := range nodes {
		e := &entries[i]
		if e.Err != nil && e.Err.Kind != sdk.KindNotExist {
			t.ledger.raise(n.path, sdk.Primary, e.Err)
		}
		if e.Err != nil || e.ID != n.id {
			n.failName(self) // not what was visited: the next pass tells
			continue
		}
		ops = append(ops, sdk.Op{Kind: sdk.OpSetMeta, Path: n.path, Meta: sdk.MetaOf(e, n.mask)})
		of = append(of, n)
	}
	results, err := t.apply(ctx, ops)
	if err != nil {
		return err
	}
	for i, res := range results {
		t.noteLost(res.Lost)
		if res.Err != nil {
			t.ledger.raise(of[i].path, sdk.Secondary, res.Err)
			of[i].failName(self)
		}
	}
	return nil
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
