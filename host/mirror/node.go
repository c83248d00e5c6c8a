package mirror

import (
	"github.com/gsyncd/gsyncd-host/host/crawl"
	"github.com/gsyncd/gsyncd-host/sdk"
)

// node is a directory that the turn has entered or will enter. Its fields after
// the first group are guarded by the turn's lock.
type node struct {
	parent *node
	path   sdk.Path
	id     sdk.FileID
	xtime  sdk.XTime
	on     sdk.FileID      // the secondary's directory; zero if made in this turn
	fresh  bool            // made in this turn: there is nothing on the secondary
	was    crawl.Mark      // the secondary's mark, where a sweep enters although it holds
	native sdk.NativeXTime // that the secondary's directory carries

	// open counts what is unfinished: the visit itself, directories below,
	// entries under way.
	open    int
	failed  bool // something below could not be done: no mark
	touched bool // an entry of it was made, replaced or removed
	acted   bool // anything about an entry of it had to be done
	differs bool // its own attributes did
	restamp bool // something was done below, or in an earlier turn
	visited bool
	set     bool      // its attributes are set, or on their way
	self    sdk.Entry // the primary's own entry
	mask    sdk.MetaMask
	removes []removal
	again   map[string]struct{} // names that failed
	doubted bool                // it is another than the pass found
}

// removal is an entry that only the secondary has.
type removal struct {
	name string
	tree bool
}

// depth orders marks: deeper ones first.
func depth(p sdk.Path) int {
	if p == sdk.Root {
		return 0
	}
	n := 1
	for i := range len(p) {
		if p[i] == '/' {
			n++
		}
	}
	return n
}

// mark is what the directory gets when all of it is on the secondary.
func (n *node) mark(since sdk.Time) crawl.Mark {
	return crawl.Mark{XTime: n.xtime, Dir: n.id, Since: since}
}

// held reports whether the directory is entered although its mark holds.
func (n *node) held() bool { return !n.was.XTime.IsZero() }

// changed reports whether anything was done to the directory or below.
func (n *node) changed() bool { return n.acted || n.touched || n.differs || n.restamp }

// self stands among a directory's names for its own attributes.
const self = "."

// failName notes that the entry called name was not done.
func (n *node) failName(name string) {
	n.failed = true
	if n.again == nil {
		n.again = map[string]struct{}{}
	}
	n.again[name] = struct{}{}
}
