package marker

// MaxPoint is the most bytes of a Point.
const MaxPoint = 256

// Point is a place in the history of a filesystem that can tell what changed since,
// as a detector writes it down. Nobody else reads it. None is empty.
type Point string

// kept is a point with what the index knew when it was taken.
type kept struct {
	at Point
	// floor is the last value of the clock that was given out before. What was
	// stamped later may be what a listing showed that the filesystem lost since,
	// in a power cut, without telling.
	floor uint64
}

// Point gives the point that a first pass may begin from: for all that changed
// since, see [Hint.Since], it need not look at all of the tree. It is empty if there
// is none.
func (m *Marker) Point() Point {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.point.at
}

// expect notes the point of a hint, to be kept when nothing is open, and reports whether
// it was taken since the last pass.
func (m *Marker) expect(at Point) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case at == "" || at == m.until.at:
	case at == m.point.at:
		m.until = m.point
	case len(at) > MaxPoint:
		m.log.Warn("a point in the history of the primary is too long to be kept", "bytes", len(at))
	default:
		m.until = kept{at, m.clock.last}
		return true
	}
	return false
}

// keep keeps the point that was told last, if a pass that came to its end left nothing
// open: each directory whose stamp is not of later is known as it was at that point,
// or is one that every pass lists, after a restart too.
func (m *Marker) keep() {
	if m.until.at == "" || m.until == m.point {
		return
	}
	settled, behind := m.settled()
	if !settled {
		return
	}
	if behind != 0 {
		m.blocked(behind)
		return
	}
	m.saidBlocked = false
	first := m.point.at == ""
	if m.point = m.until; first {
		m.journal.renew() // with the names of files that have several
		return
	}
	// The one before would do, but for what was stamped since, which may be all of it. A
	// new one is only told where there was something.
	m.journal.put(true, func(b []byte) []byte { return appendPoint(b, m.point) })
}

// settled reports whether a restart would know what is to be listed, but for what is
// below one that cannot be, and of which something was known before: that was not looked
// at, and may have changed before the point. behind is such a directory, or 0. Of one without
// any in it a restart knows enough: it is listed by every pass, and what is in it then is new.
func (m *Marker) settled() (settled bool, behind ref) {
	for r := range m.pending {
		switch n := m.tree.at(r); {
		case !n.is(flagsPending), n.is(flagHole) && !n.is(flagUnlisted):
			return false, 0
		case n.is(flagUnlisted) && n.kid != 0 && (behind == 0 || r < behind):
			behind = r
		}
	}
	return len(m.missing) == 0, behind
}

// blocked says, once, which directory keeps later points from being kept.
func (m *Marker) blocked(dir ref) {
	if m.saidBlocked {
		return
	}
	m.saidBlocked = true
	path, _ := m.tree.path(dir)
	args := []any{"directory", string(path)}
	if m.point.at == "" {
		m.log.Warn("starts look at all of the primary until a directory can be listed, or is gone: directories were found in it before", args...)
		return
	}
	m.log.Warn("starts look at all that changed in the primary since now, until a directory can be listed, or is gone: directories were found in it before", args...)
}

// since adds the directories to those that the next pass lists whose stamps are
// not older than the point. They are stamped once more, be they what they were: what
// was copied of them may be newer than their listing, and lost as well.
func (m *Marker) since() {
	for r, n := range m.tree.all() {
		if n.own > m.point.floor && !n.is(flagGhost) {
			n.flags |= flagUnknown
			m.pending[r] = struct{}{}
		}
	}
}

// left has the directory listed that r moves out of into another one, if it was not
// yet without it. Should the filesystem lose the move, and the pass not come to its
// end, nothing else would lead to r again.
func (w *walk) left(r, to ref) {
	m := w.m
	from := m.tree.at(r).parent
	if from == 0 || from == to || m.point.at == "" {
		return
	}
	if n := m.tree.at(from); n.own != w.tick && !n.is(flagGhost) {
		n.flags |= flagAgain
		m.pending[from] = struct{}{}
		m.record(from, true)
		w.due(from)
	}
}
