package marker

import (
	"iter"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// ref names a node of a tree; 0 names none.
type ref uint32

// flags of a node.
type flags uint16

const (
	flagUnknown  flags = 1 << iota // the digest proves nothing: the next one differs
	flagUnlisted                   // could not be listed by the last pass that came there
	flagGhost                      // no longer in the tree
	flagMoved                      // in the journal alone: an earlier place follows
	flagHole                       // the last listing failed or broke off: children unseen are not gone
	flagNative                     // native is known
	flagDirty                      // never in the journal, which does not have the node as it is
	flagAgain                      // the listing was whole, but overtaken or without an entry's description
	flagDoubt                      // in memory alone: a crawl found it another than the pass; in the journal it is unknown

	flagsKept = flagUnknown | flagUnlisted | flagGhost | flagMoved | flagHole | flagNative | flagAgain
	// flagsPending make a directory one that every pass lists.
	flagsPending = flagUnknown | flagUnlisted | flagHole | flagAgain
)

// node is what is kept of a directory.
type node struct {
	id     sdk.FileID
	own    uint64 // stamp; 0 if it was never listed
	max    uint64 // largest published stamp at or below it; 0 if none yet
	digest digest
	name   string
	bytes  int64           // in the files with one name, when last listed
	native sdk.NativeXTime // read before its last listing; with flagNative

	entries uint32 // when last listed
	parent  ref
	kid     ref    // the first child
	next    ref    // the parent's next child, and
	prev    ref    // the one before
	seen    uint32 // the pass that last found it
	listed  uint32 // the pass that last asked for its listing
	flags   flags
}

func (n *node) is(f flags) bool { return n.flags&f != 0 }

// knows reports whether x is the native xtime that was read before the listing.
// One that is known to be none counts: its directory was listed while the
// volume's index was kept, and nothing was marked since.
func (n *node) knows(x sdk.NativeXTime) bool { return n.is(flagNative) && n.native == x }

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
	total totals
}

// totals are sums over all nodes, so that nobody has to go through them.
type totals struct {
	entries int64
	bytes   int64
	records int64 // length of their records, without earlier places
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
	*t.at(r) = node{id: id, flags: flagUnknown | flagDirty}
	t.byID[id] = r
	t.total.records += dirSize(t.at(r))
	t.hang(r, p)
	return r
}

// drop forgets a node; its children, if it has any, hang nowhere then.
func (t *tree) drop(r ref) {
	n := t.at(r)
	for n.kid != 0 {
		t.hang(n.kid, place{})
	}
	t.hang(r, place{})
	t.count(n, 0, 0)
	t.total.records -= dirSize(n)
	t.release(r)
}

// release gives a ref back.
func (t *tree) release(r ref) {
	delete(t.byID, t.at(r).id)
	*t.at(r) = node{}
	t.free = append(t.free, r)
}

// count says what a directory holds.
func (t *tree) count(n *node, entries uint32, bytes int64) {
	t.total.entries += int64(entries) - int64(n.entries)
	t.total.bytes += bytes - n.bytes
	n.entries, n.bytes = entries, bytes
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

// settle makes a tree of nodes that came from a journal and have no children
// yet: what does not hang on the root is dropped, and the sums and the largest
// stamps are worked out from the bottom.
func (t *tree) settle() {
	for r, n := range t.all() {
		if r != t.root && n.parent != 0 {
			t.link(r, n)
		}
	}
	order := make([]ref, 0, t.len())
	if t.root != 0 {
		order = append(order, t.root)
	}
	reached := make([]bool, t.used)
	for i := 0; i < len(order); i++ {
		reached[order[i]] = true
		for c := t.at(order[i]).kid; c != 0; c = t.at(c).next {
			order = append(order, c)
		}
	}
	t.total = totals{}
	for r, n := range t.all() {
		if !reached[r] {
			t.release(r) // with all that hangs on it
			continue
		}
		t.total.entries += int64(n.entries)
		t.total.bytes += n.bytes
		t.total.records += dirSize(n)
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
