package marker

import (
	"slices"
	"strings"
)

// pending is a move that the secondary was not told of, or did not do yet.
type pending struct {
	from place // where the secondary has it
	to   place // where the last pass said it is
}

// moves holds what is pending, by node. A directory that is not in it is, for
// all that is known, where the tree has it.
type moves map[ref]*pending

// relocate puts a node into its new place and keeps the earlier one.
func (m moves) relocate(t *tree, r ref, to place) {
	n := t.at(r)
	from := place{n.parent, n.name}
	t.hang(r, to)
	n.flags |= flagDirty
	if n.own == 0 && !n.is(flagGhost) {
		return // found but never listed: nobody else knows of it
	}
	p := m[r]
	if p == nil {
		p = &pending{from: from, to: from}
		m[r] = p
	}
	if p.from == to {
		delete(m, r)
	}
}

// done says that the secondary has the directory where the last pass said.
func (m moves) done(r ref, n *node) bool {
	p := m[r]
	if p == nil {
		return false
	}
	p.from = p.to
	if p.from == (place{n.parent, n.name}) {
		delete(m, r)
	}
	n.flags |= flagDirty
	return true
}

// before is the place of a node in the layout that the secondary has.
func (m moves) before(t *tree, r ref) place {
	if p := m[r]; p != nil {
		return p.from
	}
	n := t.at(r)
	return place{n.parent, n.name}
}

// list gives the moves of the directories that found tells of.
func (m moves) list(t *tree, found func(r ref, n *node) bool) []Move {
	var out []Move
	for r, p := range m {
		n := t.at(r)
		if !found(r, n) {
			continue
		}
		to, ok := t.path(r)
		if !ok {
			continue // too deep to be reached: it waits
		}
		from, ok := t.pathBy(r, func(r ref) place { return m.before(t, r) })
		if !ok {
			// The earlier places form no layout, or one beyond all paths: there
			// is nothing to be moved by name.
			delete(m, r)
			n.flags |= flagDirty
			continue
		}
		p.to = place{n.parent, n.name}
		out = append(out, Move{ID: n.id, From: from, To: to})
	}
	slices.SortFunc(out, func(a, b Move) int { return strings.Compare(string(a.From), string(b.From)) })
	return out
}
