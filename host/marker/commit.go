package marker

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
	return size >= smallIndex && size > 2*(int64(smallIndex)/2+m.tree.total.records)
}

// rewrite replaces the journal by a snapshot. The lock is given back between
// batches; what changes meanwhile goes into the journal after the snapshot, and
// is in order there, since a record holds all of a directory's state.
func (m *Marker) rewrite() error {
	m.mu.Lock()
	m.journal.stale = false // collect what Moved puts meanwhile
	head := header{epoch: m.epoch, ident: m.ident, index: m.index}
	m.clock.reserved = max(m.clock.reserved, m.clock.last+reserveAhead)
	reserved, swept, point := m.clock.reserved, m.swept, m.point
	m.mu.Unlock()

	at, first, last := ref(1), true, point.at == ""
	err := m.journal.rewrite(head, func(b []byte) []byte {
		m.mu.Lock()
		defer m.mu.Unlock()
		if first {
			b, first = appendSwept(appendClock(b, reserved), swept), false
		}
		for ; at < m.tree.used && len(b) < flushAt; at++ {
			n := m.tree.at(at)
			if n.id.IsZero() || n.own == 0 {
				continue // free, or never listed
			}
			b = appendDir(b, m.tree, m.moves, at)
			n.flags &^= flagDirty
		}
		if at == m.tree.used && !last {
			b, last = appendPoint(b, point), true
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
