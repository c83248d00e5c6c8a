package marker

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/gsyncd/gsyncd-host/sdk"
)

const (
	// chunk is the most directories asked for in one call: enough that the round
	// trip does not count, few enough that what waits to be visited stays small.
	chunk = 256
	// futureSlack is how far ahead of the beacon, beyond the time a pass takes,
	// a change time is taken for one of the present.
	futureSlack = 10 * time.Second
)

// walk is one pass through the tree, depth first, and the sink of its scans.
type walk struct {
	plan
	m    *Marker
	dig  *digester
	pass Pass
	seen uint32 // number of the pass
	tick uint64 // what it stamps with

	young sdk.Time
	began time.Time

	stack []ref // found, not yet listed
	later []ref // to be listed once the stack is empty
	shelf []ref // to be listed once what holds them is found
	// natives are those read in the pass. They are taken over when it is complete:
	// before that, a directory's says nothing of what is still to be listed below.
	natives []nativeRead
	single  int64                   // bytes in files with one name
	short   map[sdk.FileID]struct{} // files with names that are not known
	widen   string                  // why all of the tree is to be looked at
	mourned map[ref]bool            // missing directories that mourn saw to
	broken  map[ref]bool            // directories whose listing broke off

	// The scan under way.
	dirs  []ref
	paths []sdk.Path
	ids   []sdk.FileID // for whoever listens
	ended int          // directories of it that are done
	open  bool
	other bool // the open directory is not the one that was found

	// The open directory.
	native0 sdk.NativeXTime // read before its listing
	last    sdk.NativeXTime // read before the listing before
	newer   bool            // an entry was marked after the listing before
	below   bool            // something below it is to be listed as well
	entries uint32
	bytes   int64
	unseen  bool // one of its entries could not be described
	links   linkBatch
}

// nativeRead is the native xtime of a directory, read right before its listing.
// The one in the parent's listing is as right, but older: what came in between is
// in the listing too, and would be looked for once more. A mark reaches a
// directory before those above it, so what this one covers of a directory below
// is in the entry of that directory, which is read later.
type nativeRead struct {
	dir    ref
	native sdk.NativeXTime
}

func newWalk(m *Marker) *walk {
	return &walk{m: m, dig: newDigester(), short: map[sdk.FileID]struct{}{},
		mourned: map[ref]bool{}, broken: map[ref]bool{}}
}

// begin starts a pass.
func (w *walk) begin(b sdk.Beacon, p plan) {
	m := w.m
	m.mu.Lock()
	defer m.mu.Unlock()
	m.passes++
	w.plan = p
	w.seen, m.links.pass = m.passes, m.passes
	w.tick = m.clock.next()
	w.pass = Pass{Beacon: b}
	w.young, w.began = b.Now.Add(-int64(b.Window)), time.Now()
	w.stack, w.later, w.shelf = w.stack[:0], w.later[:0], w.shelf[:0]
	w.natives = w.natives[:0]
	clear(w.short)
	w.single, w.widen = 0, ""
	clear(w.mourned)
	clear(w.broken)
	w.dirs, w.ended = w.dirs[:0], 0
	m.tree.at(m.tree.root).seen = w.seen
	if p.resume {
		m.since()
	}
	if p.full || p.root {
		w.stack = append(w.stack, m.tree.root)
	}
	if p.full {
		return
	}
	for _, id := range p.dirs {
		if r, ok := m.tree.byID[id]; ok && !m.tree.at(r).is(flagGhost) {
			m.pending[r] = struct{}{}
		}
	}
	for r := range m.pending {
		w.later = append(w.later, r)
	}
	slices.Sort(w.later) // so that equal trees make equal passes
}

// interrupted leaves what was found and not listed to the next pass, and the files
// with names that are not known. Files in doubt are so still.
func (w *walk) interrupted() {
	w.stack = append(append(w.stack, w.dirs[min(w.ended, len(w.dirs)):]...), w.later...)
	w.stack = append(w.stack, w.shelf...)
	for _, r := range w.stack {
		w.m.pending[r] = struct{}{}
	}
	for id := range w.short {
		w.m.links.again(id)
	}
}

// shelved leaves to the next pass what was on the shelf when a pass came to its
// end. Nothing else may lead there: what holds it can be found again as it was.
func (w *walk) shelved() {
	m := w.m
	for _, r := range w.shelf {
		if _, top := m.missing[r]; top {
			continue // it waits already
		}
		if n := m.tree.at(r); n.own == 0 && n.parent != 0 {
			r = n.parent // a restart forgets what was never listed
		}
		m.tree.at(r).flags |= flagAgain
		m.pending[r] = struct{}{}
		m.record(r, true)
	}
}

// run lists until nothing is left.
func (w *walk) run(ctx context.Context, src sdk.Source) error {
	for w.widen == "" && (len(w.stack)+len(w.later) > 0 || w.unshelve() || w.resolve()) {
		w.next()
		if len(w.dirs) == 0 {
			continue
		}
		w.watch()
		if err := src.Scan(ctx, sdk.ScanRequest{Dirs: w.paths, Fields: w.fields()}, w); err != nil {
			return err
		}
		if w.ended != len(w.dirs) {
			return fmt.Errorf("the driver listed %d of %d directories", w.ended, len(w.dirs))
		}
		if err := w.m.flush(); err != nil {
			return err
		}
	}
	w.names()
	return ctx.Err()
}

// watch tells of the directories that are about to be listed.
func (w *walk) watch() {
	m := w.m
	if m.watch == nil {
		return
	}
	w.ids = w.ids[:0]
	m.mu.RLock()
	for _, r := range w.dirs {
		w.ids = append(w.ids, m.tree.at(r).id)
	}
	m.mu.RUnlock()
	m.watch(w.ids, w.paths)
}

// fields is what is asked of the scan's directories. The marker's time of an entry
// tells what its change time does not: Gluster leaves that alone when an extended
// attribute is set. It is needed only where a listing is compared with one before.
func (w *walk) fields() sdk.Fields {
	if !w.native {
		return 0
	}
	if w.full {
		return sdk.FieldNative
	}
	m := w.m
	m.mu.RLock()
	defer m.mu.RUnlock()
	for _, r := range w.dirs {
		if m.tree.at(r).is(flagNative) {
			return sdk.FieldNative | sdk.FieldEntryNative
		}
	}
	return sdk.FieldNative
}

// next takes the top of the stack for a scan.
func (w *walk) next() {
	m := w.m
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(w.stack) == 0 {
		w.stack, w.later = w.later, w.stack
	}
	cut := max(0, len(w.stack)-chunk)
	w.dirs, w.paths, w.ended, w.open = w.dirs[:0], w.paths[:0], 0, false
	for _, r := range w.stack[cut:] {
		n := m.tree.at(r)
		if n.listed == w.seen {
			continue
		}
		if m.lost(r) {
			w.shelf = append(w.shelf, r) // what holds it may be found yet
			continue
		}
		n.listed = w.seen
		p, ok := m.tree.path(r)
		if !ok {
			p, _ = m.tree.path(n.parent)
			w.unlisted(r, p, &sdk.Error{Kind: sdk.KindInput, Op: "list",
				Msg: fmt.Sprintf("the path of %q in it is longer than %d bytes", n.name, sdk.MaxPath)})
			continue
		}
		w.dirs = append(w.dirs, r)
		w.paths = append(w.paths, p)
	}
	w.stack = w.stack[:cut]
}

// unshelve goes on with directories whose place was missing and is found, and
// reports whether there are any.
func (w *walk) unshelve() bool {
	if len(w.shelf) == 0 {
		return false
	}
	m := w.m
	m.mu.RLock()
	defer m.mu.RUnlock()
	w.shelf = slices.DeleteFunc(w.shelf, func(r ref) bool {
		found := !m.lost(r)
		if found {
			w.stack = append(w.stack, r)
		}
		return found
	})
	return len(w.stack) > 0
}

// names looks whether the pass met files with names that it does not know of.
func (w *walk) names() {
	m := w.m
	m.mu.RLock()
	defer m.mu.RUnlock()
	for id := range w.short {
		if m.links.waits(id) {
			w.widen = "a file has names that are not known"
			return
		}
	}
}
