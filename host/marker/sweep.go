package marker

// verdict of a sweep on one node.
type verdict uint8

const (
	undecided verdict = iota
	kept
	gone
	haunts // gone, but the earlier place of a moved directory leads through it
)

// sweeper forgets the directories that a complete pass did not find. Those below
// one whose listing failed are kept. So is one that only this pass missed: a
// directory that is moved behind the back of a pass was missed by that pass and
// yet exists, and to forget it would be to copy all of it again.
type sweeper struct {
	t     *tree
	m     moves
	pass  uint32
	grace uint32 // what was found by this pass or a later one stays
	on    []verdict
	climb []ref
}

// sweep calls forget for a node that is dropped next, and changed for one that
// became a ghost.
func (s *sweeper) sweep(forget, changed func(r ref, n *node)) {
	s.on = make([]verdict, s.t.used)
	for r, n := range s.t.all() {
		if n.seen != s.pass {
			s.judge(r)
		}
	}
	for r := range s.m {
		if s.on[r] == undecided || s.on[r] == kept {
			s.haunt(r)
		}
	}
	for r, n := range s.t.all() {
		switch s.on[r] {
		case gone:
			forget(r, n)
			delete(s.m, r)
			s.t.drop(r)
		case haunts:
			if !n.is(flagGhost) {
				p := s.m.before(s.t, r)
				n.parent, n.name = p.parent, p.name
				n.max = 0
				n.flags |= flagGhost | flagUnknown
				delete(s.m, r)
				changed(r, n)
			}
		}
	}
}

// judge decides on r by the nearest directory above it that the pass found.
func (s *sweeper) judge(r ref) {
	v := undecided
	for v == undecided {
		n := s.t.at(r)
		switch {
		case s.on[r] != undecided:
			v = s.on[r]
		case n.seen == s.pass && n.is(flagHole):
			v = kept
		case n.seen == s.pass || n.is(flagGhost) || n.parent == 0:
			v = gone
			if n.seen != s.pass {
				s.climb = append(s.climb, r)
			}
		default:
			s.climb = append(s.climb, r)
			r = n.parent
		}
	}
	// From the top down, since a node stays no longer than its parent does.
	for i := len(s.climb) - 1; i >= 0; i-- {
		n := s.t.at(s.climb[i])
		here := v
		if here == gone && n.seen >= s.grace && !n.is(flagGhost) {
			here = kept
		}
		s.on[s.climb[i]] = here
	}
	s.climb = s.climb[:0]
}

// haunt keeps what the earlier place of r leads through.
func (s *sweeper) haunt(r ref) {
	for steps := 0; r != 0 && steps <= s.t.len(); steps++ {
		if s.on[r] == gone {
			s.on[r] = haunts
		}
		r = s.m.before(s.t, r).parent
	}
}
