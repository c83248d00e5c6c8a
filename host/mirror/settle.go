package mirror

import (
	"context"
	"fmt"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// settle completes directories that have nothing open any more: attributes now,
// the mark after the next sync. It goes up the tree as far as it can, in one go
// for all levels: each would cost a round trip.
func (t *turn) settle(ctx context.Context) error {
	wave := t.complete()
	if len(wave) == 0 {
		return nil
	}
	metas, err := t.dirMetas(ctx, wave)
	if err != nil {
		return err
	}
	results, err := t.apply(ctx, metas.ops)
	if err != nil {
		return err
	}
	t.dirsDone(&metas, results)
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

// completing gives the directories that are ready, or will be when these files and
// operations are done, with those that only wait for them, children before their
// parents. What is done last for a directory is done by whoever holds its last
// tokens: nobody else can change it any more.
func (t *turn) completing(staged []stagedFile, metas []entryOp) []*node {
	t.mu.Lock()
	defer t.mu.Unlock()
	due := map[*node]int{}
	for i := range staged {
		staged[i].node.touched = true
		due[staged[i].node]++
	}
	for i := range metas {
		due[metas[i].node]++
	}
	wave := append([]*node(nil), t.ready...)
	for n, count := range due {
		if n.open == count {
			wave = append(wave, n)
		}
	}
	for i := 0; i < len(wave); i++ {
		parent := wave[i].parent
		if parent == nil {
			continue
		}
		due[parent]++
		if due[parent] == parent.open {
			wave = append(wave, parent)
		}
	}
	return wave
}

// dirMetas are the attributes that directories are to get: the last that is done
// to them, but for their marks.
type dirMetas struct {
	ops []sdk.Op
	of  []*node // one each
}

// dirMetas reads the attributes of directories that have not got theirs yet.
func (t *turn) dirMetas(ctx context.Context, wave []*node) (m dirMetas, err error) {
	var nodes []*node
	var paths []sdk.Path
	for _, n := range wave {
		if n.touched || n.mask != 0 {
			// Where other attributes do not move a directory's change time, this does:
			// who mirrors the secondary in turn goes by that.
			n.mask |= sdk.MetaMtime
		}
		if n.visited && n.mask != 0 && !n.set {
			nodes = append(nodes, n)
			paths = append(paths, n.path)
		}
		n.set = true
	}
	if len(nodes) == 0 {
		return m, nil
	}
	entries, err := t.Source.Stat(ctx, paths, sdk.FieldXattrs)
	if err != nil {
		return m, fmt.Errorf("read attributes: %w", err)
	}
	for i, n := range nodes {
		e := &entries[i]
		if !t.gone(n.path, e.Err) {
			t.ledger.raise(n.path, sdk.Primary, e.Err)
		}
		if e.Err != nil || e.ID != n.id {
			t.failDir(n) // not what was visited: the next pass tells
			continue
		}
		t.mu.Lock()
		t.doubtUnless(n, &n.self, e)
		t.mu.Unlock()
		m.ops = append(m.ops, sdk.Op{Kind: sdk.OpSetMeta, Path: n.path, Meta: sdk.MetaOf(e, n.mask)})
		m.of = append(m.of, n)
	}
	return m, nil
}

// dirsDone takes the results of m.
func (t *turn) dirsDone(m *dirMetas, results []sdk.OpResult) {
	for i, res := range results {
		t.noteLost(res.Lost)
		if res.Err != nil {
			t.ledger.raise(m.of[i].path, sdk.Secondary, res.Err)
			t.failDir(m.of[i])
		}
	}
}

// failDir notes that a directory did not get its attributes.
func (t *turn) failDir(n *node) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n.failName(self)
}
