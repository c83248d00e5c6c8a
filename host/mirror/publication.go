package mirror

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/gsyncd/gsyncd-host/host/report"
	"github.com/gsyncd/gsyncd-host/sdk"
)

// publication is what one publish carries out: the sync, marks of directories
// that are durable after it, files to be put into place, attributes of entries,
// and attributes of the directories that are complete with that. In one list it
// costs one round trip.
type publication struct {
	*turn
	sync   bool
	final  []*node
	staged []stagedFile
	metas  []entryOp
	dirs   dirMetas
}

// atOnce carries all out in one list.
func (p *publication) atOnce(ctx context.Context) (err error) {
	if p.dirs, err = p.dirMetas(ctx, p.completing(p.staged, p.metas)); err != nil {
		return err
	}
	return p.carryOut(ctx)
}

// inSteps carries out what has files with further names: the marks must be there
// before those of the further names' directories are taken back, and that before
// a file is put into place.
func (p *publication) inSteps(ctx context.Context) error {
	marks := &publication{turn: p.turn, sync: p.sync, final: p.final}
	if err := marks.carryOut(ctx); err != nil {
		return err
	}
	if err := p.unclaimOthers(ctx, p.staged); err != nil {
		return err
	}
	p.sync, p.final = false, nil
	return p.carryOut(ctx)
}

// carryOut does the list and takes its results.
func (p *publication) carryOut(ctx context.Context) error {
	p.dropFailed()
	if len(p.final) > 0 {
		if err := p.tellDoubts(); err != nil {
			return err
		}
	}
	var ops []sdk.Op
	if p.sync {
		ops = append(ops, sdk.Op{Kind: sdk.OpSync, Path: sdk.Root})
	}
	for _, n := range p.final {
		ops = append(ops, p.setMark(n))
	}
	for i := range p.staged {
		ops = append(ops, sdk.Op{Kind: sdk.OpRename, From: p.staged[i].staged, Path: p.staged[i].path, Synced: p.staged[i].synced})
	}
	metas := opsOf(p.metas)
	ops = append(append(ops, metas...), p.dirs.ops...)
	begin := p.Clock()
	results, err := p.apply(ctx, ops)
	if err != nil {
		return err
	}
	next := func(n int) []sdk.OpResult {
		part := results[:n]
		results = results[n:]
		return part
	}
	if p.sync {
		if err := next(1)[0].Err; err != nil {
			return fmt.Errorf("sync the secondary: %w", err)
		}
		p.Logger.Debug("published", "files", len(p.staged), "directories", len(p.final), "took", p.Clock().Sub(begin))
	}
	p.marked(next(len(p.final)))
	placed, undo := p.placed(next(len(p.staged)))
	if err := p.entriesDone(p.metas, next(len(metas))); err != nil {
		return err
	}
	p.dirsDone(&p.dirs, next(len(p.dirs.ops)))
	if err := p.relink(ctx, placed); err != nil {
		return err
	}
	_, err = p.apply(ctx, undo)
	return err
}

// hasMark notes that the directory has its mark. The lock is held.
func (t *turn) hasMark(n *node) {
	delete(t.partial, n.id)
	if n.parent == nil {
		t.clean = true
	}
}

// dropFailed leaves out marks that would lie or that are there already, and puts the deepest first.
func (p *publication) dropFailed() {
	p.mu.Lock()
	p.final = slices.DeleteFunc(p.final, func(n *node) bool {
		if !n.failed && p.keepsMark(n) {
			p.hasMark(n)
			return true
		}
		if _, begun := p.partial[n.id]; begun {
			n.restamp = true // an earlier turn has done something
		}
		if n.parent != nil && n.changed() {
			n.parent.restamp = true // so that the way down to n is found
		}
		return n.failed
	})
	p.mu.Unlock()
	slices.SortStableFunc(p.final, func(a, b *node) int { return cmp.Compare(depth(b.path), depth(a.path)) })
}

// marked takes the results of marks. One that could not be written hides
// nothing; it costs a look.
func (p *publication) marked(results []sdk.OpResult) {
	for i, n := range p.final {
		if err := results[i].Err; err != nil {
			p.ledger.raise(n.path, sdk.Secondary, err)
			continue
		}
		p.mu.Lock()
		p.hasMark(n)
		p.mu.Unlock()
	}
}

// placed takes the results of renames and returns the files that are in place,
// and what is left to be removed of the others.
func (p *publication) placed(results []sdk.OpResult) (placed []*stagedFile, undo []sdk.Op) {
	var counts report.Counts
	for i := range p.staged {
		f := &p.staged[i]
		if err := results[i].Err; err != nil {
			p.mu.Lock()
			for _, other := range p.others(f) {
				p.failAbove(other)
			}
			p.mu.Unlock()
			undo = append(undo, sdk.Op{Kind: sdk.OpRemove, Path: f.staged})
			p.fail(f.node, f.name, sdk.Secondary, err)
			continue
		}
		counts.Files++
		counts.Bytes += f.entry.Size
		counts.Moved += f.moved
		p.mu.Lock()
		f.node.touched = true
		p.release(f.node)
		p.mu.Unlock()
		placed = append(placed, f)
	}
	p.addCounts(counts)
	return placed, undo
}
