package marker

import "github.com/gsyncd/gsyncd-host/sdk"

// link puts a node among its parent's children.
func (t *tree) link(r ref, n *node) {
	p := t.at(n.parent)
	n.prev, n.next = 0, p.kid
	if p.kid != 0 {
		t.at(p.kid).prev = r
	}
	p.kid = r
}

// hang puts a node into a place, out of the one where it was.
func (t *tree) hang(r ref, to place) {
	n := t.at(r)
	t.total.records += int64(len(to.name) - len(n.name))
	n.name = to.name
	if n.parent == to.parent {
		return
	}
	if n.parent != 0 {
		if n.prev != 0 {
			t.at(n.prev).next = n.next
		} else {
			t.at(n.parent).kid = n.next
		}
		if n.next != 0 {
			t.at(n.next).prev = n.prev
		}
	}
	n.parent, n.prev, n.next = to.parent, 0, 0
	if n.parent != 0 {
		t.link(r, n)
	}
}

// below calls f for r and every node below it, parents first.
func (t *tree) below(r ref, f func(r ref, n *node)) {
	stack := []ref{r}
	for len(stack) > 0 {
		r := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		n := t.at(r)
		f(r, n)
		for c := n.kid; c != 0; c = t.at(c).next {
			stack = append(stack, c)
		}
	}
}

// within reports whether r is top or below it.
func (t *tree) within(r, top ref) bool {
	for ; r != 0; r = t.at(r).parent {
		if r == top {
			return true
		}
	}
	return false
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
