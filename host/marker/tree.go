package marker

import (
	"iter"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// ref names a node of a tree; 0 names none.
type ref uint32

// flags of a node.
type flags uint8

const (
	flagUnknown  flags = 1 << iota // the digest proves nothing: the next one differs
	flagUnlisted                   // could not be listed by the last pass that came there
	flagGhost                      // no longer in the tree
	flagMoved                      // in the journal alone: an earlier place follows
	// What follows is not kept in the journal.
	flagHole  // the last listing failed or broke off: children unseen are not gone
	flagDirty // the journal does not have the node as it is

	flagsKept = flagUnknown | flagUnlisted | flagGhost | flagMoved
)

// node is what is kept of a directory.
type node struct {
	id     sdk.FileID
	own    uint64 // stamp; 0 if it was never listed
	max    uint64 // largest published stamp at or below it; 0 if none yet
	digest digest
	name   string
	parent ref
	seen   uint32 // the pass that last found it
	flags  flags
}

func (n *node) is(f flags) bool { return n.flags&f != 0 }

// place is where a directory is: in which one, and under what name.
type place struct {
	parent ref
	name   string
}

const pageSize = 1024

// tree holds the nodes, in pages so that a large tree grows without copying and
// a *node stays valid. The chain of parents of every node ends at the root.
type tree struct {
	pages [][]node
	used  ref   // refs below it were handed out once
	free  []ref // and these of them can be again
	byID  map[sdk.FileID]ref
	root  ref
}

func newTree() *tree {
	return &tree{used: 1, byID: make(map[sdk.FileID]ref)}
}

func (t *tree) at(r ref) *node { return &t.pages[r/pageSize][r%pageSize] }

func (t *tree) len() int { return len(t.byID) }

// add makes a node that nothing is known of.
func (t *tree) add(id sdk.FileID, p place) ref {
	var r ref
	if n := len(t.free); n > 0 {
		r = t.free[n-1]
		t.free = t.free[:n-1]
	} else {
		r = t.used
		t.used++
		if int(r/pageSize) == len(t.pages) {
			t.pages = append(t.pages, make([]node, pageSize))
		}
	}
	*t.at(r) = node{id: id, parent: p.parent, name: p.name, flags: flagUnknown | flagDirty}
	t.byID[id] = r
	return r
}

// drop forgets a node.
func (t *tree) drop(r ref) {
	delete(t.byID, t.at(r).id)
	*t.at(r) = node{}
	t.free = append(t.free, r)
}

// all gives the nodes, the ghosts among them.
func (t *tree) all() iter.Seq2[ref, *node] {
	return func(yield func(ref, *node) bool) {
		for r := ref(1); r < t.used; r++ {
			n := t.at(r)
			if n.id.IsZero() {
				continue
			}
			if !yield(r, n) {
				return
			}
		}
	}
}

// path returns the path of a node, and false if it is longer than paths can be.
func (t *tree) path(r ref) (sdk.Path, bool) {
	return t.pathBy(r, func(r ref) place {
		n := t.at(r)
		return place{n.parent, n.name}
	})
}

// pathBy is path in a layout that where tells of. It is false as well where the
// layout has no way up to the root.
func (t *tree) pathBy(r ref, where func(ref) place) (sdk.Path, bool) {
	if r == t.root {
		return sdk.Root, true
	}
	size, depth := -1, 0
	for at := r; at != t.root; depth++ {
		p := where(at)
		size += 1 + len(p.name)
		if p.parent == 0 || size > sdk.MaxPath || depth > t.len() {
			return "", false
		}
		at = p.parent
	}
	b := make([]byte, size)
	for at, end := r, size; at != t.root; {
		p := where(at)
		copy(b[end-len(p.name):], p.name)
		if end -= len(p.name) + 1; end >= 0 {
			b[end] = '/'
		}
		at = p.parent
	}
	return sdk.Path(b), true
}

// raise publishes stamp v at r and above. It stops at the first ancestor that
// is as new, so that a pass costs its changes and not their depth.
func (t *tree) raise(r ref, v uint64) {
	for r != 0 {
		n := t.at(r)
		if n.max >= v {
			return
		}
		n.max = v
		r = n.parent
	}
}

// settle makes a tree of nodes that came from a journal: what does not hang on
// the root is dropped, and the largest stamps are worked out from the bottom.
func (t *tree) settle() {
	first := make([]ref, t.used) // first child
	next := make([]ref, t.used)  // next child of the same parent
	for r, n := range t.all() {
		if r != t.root && n.parent != 0 {
			next[r], first[n.parent] = first[n.parent], r
		}
	}
	order := make([]ref, 0, t.len())
	if t.root != 0 {
		order = append(order, t.root)
	}
	for i := 0; i < len(order); i++ {
		for c := first[order[i]]; c != 0; c = next[c] {
			order = append(order, c)
		}
	}
	reached := next
	clear(reached)
	for _, r := range order {
		reached[r] = 1
	}
	for r := range t.all() {
		if reached[r] == 0 {
			t.drop(r)
		}
	}
	for i := len(order) - 1; i >= 0; i-- {
		n := t.at(order[i])
		if n.is(flagGhost) {
			continue
		}
		n.max = max(n.max, n.own)
		if n.parent != 0 {
			p := t.at(n.parent)
			p.max = max(p.max, n.max)
		}
	}
}
