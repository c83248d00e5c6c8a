package mirror

import (
	"context"
	"fmt"

	"github.com/gsyncd/gsyncd-host/host/report"
	"github.com/gsyncd/gsyncd-host/sdk"
)

// flush carries out what was gathered: operations first, then files, which need
// their directories, then the directories to be entered.
func (w *walker) flush(ctx context.Context) error {
	if err := w.fillXattrs(ctx); err != nil {
		return err
	}
	if err := w.applyEntryOps(ctx, w.ops); err != nil {
		return err
	}
	w.ops, w.opsFirst = w.ops[:0], false
	if err := w.flushSends(ctx); err != nil {
		return err
	}
	for _, n := range w.dirs {
		w.mu.Lock()
		lost := n.failed
		if lost {
			w.release(n)
		}
		w.mu.Unlock()
		if !lost {
			w.stack = append(w.stack, n)
		}
	}
	w.dirs = w.dirs[:0]
	return nil
}

// flushFull carries out what was gathered, if that is much, while n is being listed.
func (w *walker) flushFull(ctx context.Context, n *node) error {
	ops, sends := len(w.ops) >= flushOps, len(w.sends) >= flushSends
	if !ops && !sends {
		return nil
	}
	if n.held() {
		w.mu.Lock()
		w.doubt(n) // only the whole listing could tell
		w.mu.Unlock()
	}
	if ops || w.opsFirst {
		return w.flush(ctx)
	}
	return w.flushSends(ctx)
}

// flushSends gives the gathered files to the mover. Their directories exist.
func (w *walker) flushSends(ctx context.Context) error {
	if err := w.splitShared(ctx); err != nil {
		return err
	}
	for _, job := range w.sends {
		w.Tracker.Update(func(s *report.Snapshot) {
			s.PendingFiles++
			s.PendingBytes += job.Entry.Size
		})
		select {
		case w.jobs <- job:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	w.sends = w.sends[:0]
	return nil
}

// fillXattrs reads the extended attributes that operations are to set. They
// cost a system call or more an entry, so listings go without.
func (w *walker) fillXattrs(ctx context.Context) error {
	if len(w.wants) == 0 {
		return nil
	}
	paths := make([]sdk.Path, len(w.wants))
	for i, at := range w.wants {
		paths[i] = w.ops[at].op.Path
	}
	entries, err := w.Source.Stat(ctx, paths, sdk.FieldXattrs)
	if err != nil {
		return fmt.Errorf("read attributes: %w", err)
	}
	for i, at := range w.wants {
		o := &w.ops[at]
		e := &entries[i]
		if e.Err != nil || e.ID != o.of.ID {
			// Kind 0 stands for "do not do it": see applyEntryOps.
			o.op.Kind = 0
			gone := w.gone(o.op.Path, e.Err)
			w.mu.Lock()
			w.missed(gone)
			w.mu.Unlock()
			if !gone {
				w.ledger.raise(o.op.Path, sdk.Primary, e.Err)
			}
			continue
		}
		w.mu.Lock()
		w.doubtUnless(o.node, o.of, e)
		w.mu.Unlock()
		o.op.Meta = sdk.MetaOf(e, o.op.Meta.Mask)
	}
	w.wants = w.wants[:0]
	return nil
}

// applyEntryOps does operations for entries and takes their tokens. One of
// kind 0 is counted as failed without being done.
func (t *turn) applyEntryOps(ctx context.Context, ops []entryOp) error {
	results, err := t.apply(ctx, opsOf(ops))
	if err != nil {
		return err
	}
	return t.entriesDone(ops, results)
}

// opsOf gives the operations that are to be done.
func opsOf(ops []entryOp) []sdk.Op {
	list := make([]sdk.Op, 0, len(ops))
	for i := range ops {
		if ops[i].op.Kind != 0 {
			list = append(list, ops[i].op)
		}
	}
	return list
}

// entriesDone takes the results of what [opsOf] gave.
func (t *turn) entriesDone(ops []entryOp, results []sdk.OpResult) error {
	var counts report.Counts
	for i := range ops {
		o := &ops[i]
		var res sdk.OpResult
		failed := o.op.Kind == 0
		if !failed {
			res, results = results[0], results[1:]
			t.noteLost(res.Lost)
			failed = res.Err != nil
		}
		if failed && res.Err != nil && (o.node != nil || o.child != nil && !o.child.failed) {
			t.ledger.raise(o.op.Path, sdk.Secondary, res.Err)
		}
		if failed && o.must && res.Err.Kind != sdk.KindNotExist {
			return fmt.Errorf("change the secondary: %w", res.Err)
		}
		if !failed && !o.own {
			count(&counts, o.op.Kind)
		}
		t.mu.Lock()
		if failed && o.node != nil {
			o.node.failName(o.name)
		}
		if failed && o.child != nil {
			o.child.failed = true
		}
		if res.Err != nil && res.Err.Kind == sdk.KindNoSpace {
			t.noSpace = true
		}
		if o.node != nil {
			t.release(o.node)
		}
		t.mu.Unlock()
	}
	t.addCounts(counts)
	return nil
}

func count(c *report.Counts, kind sdk.OpKind) {
	switch kind {
	case sdk.OpMkdir:
		c.Dirs++
	case sdk.OpSymlink, sdk.OpMknod, sdk.OpLink:
		c.Others++
	case sdk.OpSetMeta:
		c.Metas++
	case sdk.OpRemove, sdk.OpRemoveTree:
		c.Deletes++
	}
}

func (m *Mirror) addCounts(c report.Counts) {
	m.Tracker.Update(func(s *report.Snapshot) {
		s.Done.Files += c.Files
		s.Done.Bytes += c.Bytes
		s.Done.Moved += c.Moved
		s.Done.Dirs += c.Dirs
		s.Done.Others += c.Others
		s.Done.Metas += c.Metas
		s.Done.Deletes += c.Deletes
		s.Done.Renames += c.Renames
	})
}

// apply does operations on the secondary; a whole failure ends the turn.
func (m *Mirror) apply(ctx context.Context, ops []sdk.Op) ([]sdk.OpResult, error) {
	if len(ops) == 0 {
		return nil, nil
	}
	results, err := sdk.ApplyAll(ctx, m.Target, ops)
	if err != nil {
		return nil, fmt.Errorf("change the secondary: %w", err)
	}
	if len(results) != len(ops) {
		return nil, fmt.Errorf("change the secondary: %d results for %d operations", len(results), len(ops))
	}
	return results, nil
}

var lostTexts = []struct {
	bit  sdk.Lost
	text string
}{
	{sdk.LostOwner, "owners or groups cannot all be kept on the secondary: that takes root"},
	{sdk.LostPerm, "set-user-ID, set-group-ID or sticky bits cannot all be kept on the secondary"},
	{sdk.LostXattrs, "some extended attributes cannot be kept on the secondary"},
	{sdk.LostACL, "access control lists cannot be kept on the secondary"},
	{sdk.LostMtime, "modification times cannot be kept exactly on the secondary"},
}

// noteLost says once what the secondary could not keep.
func (m *Mirror) noteLost(lost sdk.Lost) {
	if lost == 0 {
		return
	}
	for _, l := range lostTexts {
		if lost&l.bit != 0 {
			m.notice(l.text)
		}
	}
}
