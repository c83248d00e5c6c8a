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
		m.journal.renew()
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
	live := int64(smallIndex)/2 + m.tree.total.records
	if m.point.at != "" {
		live += m.links.room
	}
	return size >= smallIndex && size > 2*live
}

// rewrite replaces the journal by a snapshot.
func (m *Marker) rewrite() error {
	m.mu.Lock()
	m.journal.stale = false // collect what Moved puts meanwhile
	head := header{epoch: m.epoch, ident: m.ident, index: m.index}
	m.clock.reserved = max(m.clock.reserved, m.clock.last+reserveAhead)
	m.mu.Unlock()
	shot := &snapshot{m: m}
	err := m.journal.rewrite(head, shot.next)
	if err != nil {
		m.mu.Lock()
		m.journal.renew()
		m.mu.Unlock()
	}
	return err
}

// snapshot gives the records of an index one after the other. The lock is given back
// between batches; what changes meanwhile goes into the journal after the snapshot,
// and is in order there, since a record holds all of a directory's state.
type snapshot struct {
	m    *Marker
	at   ref    // the directory that comes next,
	name uint32 // and the next of its names
	done bool
}

func (s *snapshot) next(b []byte) []byte {
	m := s.m
	m.mu.Lock()
	defer m.mu.Unlock()
	if s.at == 0 {
		b = appendSwept(appendClock(b, m.clock.reserved), m.swept)
		s.skip()
	}
	for s.at < m.tree.used && len(b) < flushAt {
		switch n := m.tree.at(s.at); {
		case n.id.IsZero() || n.own == 0:
			s.skip() // free, or never listed
		case s.name != 0:
			b, s.name = m.links.appendNames(b, n.id, s.at, s.name)
		default:
			b = appendDir(b, m.tree, m.moves, s.at, m.namesOf(s.at) != 0)
			n.flags &^= flagDirty
			s.skip()
		}
	}
	if s.at == m.tree.used && !s.done {
		s.done = true
		if m.point.at != "" {
			b = appendPoint(b, m.point)
		}
	}
	return b
}

// skip goes on to the next directory.
func (s *snapshot) skip() {
	s.at++
	s.name = s.m.namesOf(s.at)
}
