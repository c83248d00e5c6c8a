package marker

// forget drops the directories that a complete listing of their place no longer
// had, and that no later pass found elsewhere either: one that is moved behind
// the back of a pass is missed by that pass and yet exists, and to forget it
// would be to copy all of it again. A directory through which the earlier place
// of a moved one leads becomes a ghost instead. It costs what is forgotten, and
// the moves that wait.
func (m *Marker) forget(pass uint32) {
	fallen := fallen{m: m, haunts: map[ref]bool{}}
	for r, since := range m.missing {
		if since != pass {
			fallen.take(r)
		}
	}
	for r := range m.ghosts {
		fallen.take(r)
	}
	if len(fallen.order) == 0 {
		return
	}
	for r := range m.moves {
		if _, gone := fallen.haunts[r]; !gone {
			fallen.climb(r)
		}
	}
	fallen.bury()
}

// fallen are directories that are gone.
type fallen struct {
	m      *Marker
	order  []ref        // parents before what was in them
	haunts map[ref]bool // whether the earlier place of another leads through it
}

func (f *fallen) take(top ref) {
	if _, again := f.haunts[top]; again {
		return
	}
	f.m.tree.below(top, func(r ref, _ *node) {
		if _, again := f.haunts[r]; !again {
			f.haunts[r] = false
			f.order = append(f.order, r)
		}
	})
}

// climb keeps what the earlier place of r leads through.
func (f *fallen) climb(r ref) {
	for steps := 0; r != 0 && steps <= f.m.tree.len(); steps++ {
		r = f.m.moves.before(f.m.tree, r).parent
		if _, gone := f.haunts[r]; gone {
			f.haunts[r] = true
		}
	}
}

func (f *fallen) bury() {
	m, t := f.m, f.m.tree
	for _, r := range f.order {
		n := t.at(r)
		m.links.forget(r)
		delete(m.missing, r)
		delete(m.pending, r)
		if f.haunts[r] && !n.is(flagGhost) {
			t.hang(r, m.moves.before(t, r))
			t.count(n, 0, 0)
			n.max = 0
			n.flags = n.flags&^(flagNative|flagHole|flagUnlisted|flagAgain) | flagGhost | flagUnknown
			delete(m.moves, r)
			m.ghosts[r] = struct{}{}
			m.record(r, false)
		}
	}
	for i := len(f.order) - 1; i >= 0; i-- {
		r := f.order[i]
		if f.haunts[r] {
			continue
		}
		id := t.at(r).id
		m.journal.put(false, func(b []byte) []byte { return appendForget(b, id) })
		delete(m.moves, r)
		delete(m.ghosts, r)
		t.drop(r)
	}
}

// lost reports whether a directory, or one that holds it, is missing.
func (m *Marker) lost(r ref) bool {
	if len(m.missing) == 0 {
		return false
	}
	for ; r != 0; r = m.tree.at(r).parent {
		if _, ok := m.missing[r]; ok {
			return true
		}
	}
	return false
}

// gone reports whether a directory, or one that holds it, was missing before the
// pass under way.
func (m *Marker) gone(r ref) bool {
	for ; r != 0; r = m.tree.at(r).parent {
		if since, ok := m.missing[r]; ok && since != m.passes {
			return true
		}
	}
	return false
}
