package marker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// Refresh looks at the tree once: stamps the directories that differ, makes the
// index durable, and only then lets the new xtimes be seen. A pass goes through
// the whole tree whatever hint names, which is always sound.
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
	_ = hint // a scan is answer enough to any
	began := time.Now()
	pass, err := m.refresh(ctx, src)
	pass.Took = time.Since(began)
	return pass, err
}

func (m *Marker) refresh(ctx context.Context, src sdk.Source) (Pass, error) {
	// The root is looked at by name first: what is mounted over it, or an
	// unmounted filesystem's empty directory, is not the tree.
	ident, err := src.Identity(ctx)
	if err != nil {
		return Pass{}, fmt.Errorf("identify the primary: %w", err)
	}
	if err := m.adopt(ident); err != nil {
		return Pass{}, err
	}
	beacon, err := src.Beacon(ctx)
	if err != nil {
		return Pass{}, fmt.Errorf("read the primary's clock: %w", err)
	}
	if m.walker == nil {
		m.walker = newWalk(m)
	}
	w := m.walker
	w.begin(beacon)
	werr := w.run(ctx, src)
	if werr != nil {
		werr = fmt.Errorf("scan the primary: %w", werr)
	}
	err = errors.Join(werr, m.finish(w, werr == nil))
	return w.pass, err
}

// finish ends a pass: forgets, makes durable, publishes.
func (m *Marker) finish(w *walk, complete bool) error {
	m.mu.Lock()
	if complete {
		m.forget(w)
		m.links, w.links = w.links, m.links
		m.complete = w.seen
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
		w.pass.Moves = m.moves.list(m.tree, w.seen)
	}
	return nil
}

// forget drops what is no longer in the tree.
func (m *Marker) forget(w *walk) {
	if w.found == m.tree.len() {
		return
	}
	s := sweeper{t: m.tree, m: m.moves, pass: w.seen, grace: m.complete}
	s.sweep(
		func(_ ref, n *node) {
			m.journal.put(false, func(b []byte) []byte { return appendForget(b, n.id) })
		},
		func(r ref, _ *node) { m.record(r, false) },
	)
}

// commit makes the index durable, unless nothing changed that must be.
func (m *Marker) commit() error {
	m.mu.Lock()
	j := m.journal
	if !j.urgent && len(m.stamped) == 0 {
		m.mu.Unlock()
		return nil
	}
	batches := j.take()
	anew := j.stale || m.oversized(batches)
	m.mu.Unlock()
	if anew {
		return m.rewrite()
	}
	return m.append(batches, true)
}

// append writes batches to the journal, and makes them durable with sync.
func (m *Marker) append(batches [][]byte, sync bool) error {
	err := m.journal.write(batches)
	if err == nil && sync {
		err = m.journal.sync()
	}
	if err != nil {
		m.mu.Lock()
		m.journal.spoil()
		m.mu.Unlock()
	}
	return err
}

// flush writes what a long pass has gathered, so that it need not be held.
func (m *Marker) flush() error {
	m.mu.Lock()
	var batches [][]byte
	if len(m.journal.full) > 0 {
		batches = m.journal.take()
		m.journal.urgent = true // to be synced at the end
	}
	m.mu.Unlock()
	return m.append(batches, false)
}

// oversized reports whether the journal holds more than twice what it tells.
func (m *Marker) oversized(batches [][]byte) bool {
	size := m.journal.size
	for _, b := range batches {
		size += int64(len(b))
	}
	if size < smallIndex {
		return false
	}
	live := int64(smallIndex) / 2
	for _, n := range m.tree.all() {
		live += dirSize(n)
	}
	return size > 2*live
}

// rewrite replaces the journal by a snapshot. The lock is given back between
// batches; what changes meanwhile goes into the journal after the snapshot, and
// is in order there, since a record holds all of a directory's state.
func (m *Marker) rewrite() error {
	m.mu.Lock()
	m.journal.stale = false // collect what Moved puts meanwhile
	head := header{epoch: m.epoch, ident: m.ident}
	m.clock.reserved = max(m.clock.reserved, m.clock.last+reserveAhead)
	reserved := m.clock.reserved
	m.mu.Unlock()

	at, first := ref(1), true
	err := m.journal.rewrite(head, func(b []byte) []byte {
		m.mu.Lock()
		defer m.mu.Unlock()
		if first {
			b, first = appendClock(b, reserved), false
		}
		for ; at < m.tree.used && len(b) < flushAt; at++ {
			n := m.tree.at(at)
			if n.id.IsZero() || n.own == 0 {
				continue // free, or never listed
			}
			b = appendDir(b, m.tree, m.moves, at)
			n.flags &^= flagDirty
		}
		return b
	})
	if err != nil {
		m.mu.Lock()
		m.journal.spoil()
		m.mu.Unlock()
	}
	return err
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
	m.stamped, m.rehung = m.stamped[:0], m.rehung[:0]
}
