package marker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// Refresh looks at the tree once: stamps the directories that differ, makes the
// index durable, and only then lets the new xtimes be seen.
//
// A pass goes through the whole tree, unless native xtimes or the hint tell where
// it need not look, and the index knows what is there. Such a pass is partial. It
// costs what it looks at, and what it leaves alone counts as found.
//
// After an error the pass is unfinished: what it found before is in the index,
// what it did not come to is as it was, no directory is forgotten and no move
// reported. Just call it again.
func (m *Marker) Refresh(ctx context.Context, src sdk.Source, hint Hint) (Pass, error) {
	m.pass.Lock()
	defer m.pass.Unlock()
	if m.closed {
		return Pass{}, ErrClosed
	}
	began := time.Now()
	pass, err := m.refresh(ctx, src, hint)
	pass.Took = time.Since(began)
	return pass, err
}

func (m *Marker) refresh(ctx context.Context, src sdk.Source, hint Hint) (Pass, error) {
	beacon, err := m.meet(ctx, src)
	if err != nil {
		m.owed = true // what the hint tells of is told once
		return Pass{}, err
	}
	plan, err := m.plan(ctx, src, beacon, hint)
	if err != nil {
		return Pass{Beacon: beacon}, err
	}
	if m.walker == nil {
		m.walker = newWalk(m)
	}
	w := m.walker
	w.begin(beacon, plan)
	err = w.run(ctx, src)
	if err == nil && w.widen != "" {
		m.log.Debug("a look at all of the primary is needed", "reason", w.widen)
		plan.full, m.owed = true, true
		w.begin(beacon, plan)
		err = w.run(ctx, src)
	}
	if err != nil {
		err = fmt.Errorf("scan the primary: %w", err)
	}
	err = errors.Join(err, m.finish(w, err == nil))
	return w.pass, err
}

// meet makes sure that the index is that of the tree at hand, and reads its clock.
func (m *Marker) meet(ctx context.Context, src sdk.Source) (sdk.Beacon, error) {
	// The root is looked at by name first: what is mounted over it, or an
	// unmounted filesystem's empty directory, is not the tree.
	ident, err := src.Identity(ctx)
	if err != nil {
		return sdk.Beacon{}, fmt.Errorf("identify the primary: %w", err)
	}
	if err := m.adopt(ident); err != nil {
		return sdk.Beacon{}, err
	}
	beacon, err := src.Beacon(ctx)
	if err != nil {
		return sdk.Beacon{}, fmt.Errorf("read the primary's clock: %w", err)
	}
	return beacon, nil
}

// finish ends a pass: forgets, makes durable, publishes.
func (m *Marker) finish(w *walk, complete bool) error {
	m.mu.Lock()
	if complete {
		m.complete(w)
	} else {
		w.interrupted()
		m.told = m.count()
	}
	m.mu.Unlock()
	if err := m.commit(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	before, _ := m.xtime(m.tree.root)
	m.publish()
	w.pass.Root, _ = m.xtime(m.tree.root)
	w.pass.Changed = w.pass.Root != before
	if complete {
		w.pass.Moves = m.moves.list(m.tree, func(r ref, n *node) bool {
			return n.seen == w.seen || !w.full && !n.is(flagGhost) && !m.lost(r)
		})
	}
	return nil
}

// complete takes over what only a pass that came to its end may change.
func (m *Marker) complete(w *walk) {
	w.shelved()
	if w.full || w.native || w.until || w.pass.Dirs > 0 {
		m.forget(w.seen)
		// Names went with what is forgotten.
		w.pass.Racy = w.doubts() || w.pass.Racy
	}
	if w.full {
		m.owed, m.whole = false, w.seen
		m.links.settle(w.young, !w.native, func(dir ref) { m.pending[dir] = struct{}{} })
		now := swept{linked: m.links.bytes}
		if now != m.swept {
			m.swept = now
			m.journal.put(w.native, func(b []byte) []byte { return appendSwept(b, now) })
		}
		w.pass.Bytes = w.single + m.links.bytes
	} else {
		if w.pass.Dirs > 0 || w.until {
			m.told = m.count()
		}
		w.pass.Entries, w.pass.Bytes = m.told.entries, m.told.bytes
	}
	m.told = counted{w.pass.Entries, w.pass.Bytes}
	if len(m.pending) == 0 {
		m.pending = map[ref]struct{}{} // a map keeps the room that it once had
	}
	for _, read := range w.natives {
		n := m.tree.at(read.dir)
		if n.knows(read.native) || n.id.IsZero() || n.is(flagHole|flagAgain) {
			continue
		}
		n.native = read.native
		n.flags |= flagNative
		m.settling = true
		if n.own != 0 {
			m.journal.put(false, func(b []byte) []byte { return appendNativeOf(b, n.id, n.native) })
		}
	}
	if root := m.tree.at(m.tree.root); w.native && root.is(flagNative) {
		w.pass.Native = root.native
	}
	w.pass.Swept, w.pass.NamesKnown = w.full, m.links.filled
	m.keep()
}

// count adds up what the directories of the tree held when they were last
// listed, without those that are missing.
func (m *Marker) count() counted {
	c := counted{m.tree.total.entries, m.tree.total.bytes + m.links.bytes}
	if !m.links.filled {
		c.bytes += m.swept.linked - m.links.bytes
	}
	for top := range m.missing {
		if m.lost(m.tree.at(top).parent) {
			continue
		}
		m.tree.below(top, func(_ ref, n *node) {
			c.entries -= int64(n.entries)
			c.bytes -= n.bytes
		})
	}
	return c
}

// publish lets the xtimes of the pass be seen.
func (m *Marker) publish() {
	for _, r := range m.rehung {
		if n := m.tree.at(r); n.parent != 0 {
			m.tree.raise(n.parent, n.max)
		}
	}
	for _, r := range m.stamped {
		m.tree.raise(r, m.tree.at(r).own)
	}
	m.stamped, m.rehung, m.settling = m.stamped[:0], m.rehung[:0], false
}
