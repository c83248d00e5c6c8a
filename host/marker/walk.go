package marker

import (
	"context"
	"fmt"
	"strings"
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
	m    *Marker
	dig  *digester
	pass Pass
	seen uint32 // number of the pass
	tick uint64 // what it stamps with

	young sdk.Time
	began time.Time

	stack []ref // found, not yet listed
	found int   // nodes found, the listed ones among them
	links *linkTable

	// The scan under way.
	dirs  []ref
	paths []sdk.Path
	ended int // directories of it that are done
	open  bool
	other bool // the open directory is not the one that was found
}

var _ sdk.ScanSink = (*walk)(nil)

func newWalk(m *Marker) *walk {
	return &walk{m: m, dig: newDigester(), links: &linkTable{}}
}

// begin starts a pass at the root.
func (w *walk) begin(b sdk.Beacon) {
	m := w.m
	m.mu.Lock()
	defer m.mu.Unlock()
	m.passes++
	w.seen = m.passes
	w.tick = m.clock.next()
	w.pass = Pass{Beacon: b}
	w.young, w.began = b.Now.Add(-int64(b.Window)), time.Now()
	w.links.reset()
	w.stack = append(w.stack[:0], m.tree.root)
	m.tree.at(m.tree.root).seen = w.seen
	w.found = 1
}

// run lists until nothing is left.
func (w *walk) run(ctx context.Context, src sdk.Source) error {
	for len(w.stack) > 0 {
		w.next()
		if len(w.dirs) == 0 {
			continue
		}
		if err := src.Scan(ctx, sdk.ScanRequest{Dirs: w.paths}, w); err != nil {
			return err
		}
		if w.ended != len(w.dirs) {
			return fmt.Errorf("the driver listed %d of %d directories", w.ended, len(w.dirs))
		}
		if err := w.m.flush(); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// next takes the top of the stack for a scan.
func (w *walk) next() {
	m := w.m
	m.mu.Lock()
	defer m.mu.Unlock()
	cut := max(0, len(w.stack)-chunk)
	w.dirs, w.paths, w.ended, w.open = w.dirs[:0], w.paths[:0], 0, false
	for _, r := range w.stack[cut:] {
		p, ok := m.tree.path(r)
		if !ok {
			n := m.tree.at(r)
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

// BeginDir opens a directory of the scan.
func (w *walk) BeginDir(i int, self *sdk.Entry) error {
	if i != w.ended || i >= len(w.dirs) || w.open {
		return fmt.Errorf("the driver opened directory %d, not %d of %d", i, w.ended, len(w.dirs))
	}
	w.m.mu.RLock()
	id := w.m.tree.at(w.dirs[i]).id
	w.m.mu.RUnlock()
	w.open = true
	// What was swapped in since it was found is left for the next pass.
	w.other = self.Type != sdk.TypeDir || self.ID != id || self.Mount
	took := time.Since(w.began)
	w.dig.reset(w.young, w.pass.Beacon.Now.Add(int64(took+futureSlack)))
	w.dig.self(self)
	return nil
}

// Entry takes one entry of the open directory.
func (w *walk) Entry(e *sdk.Entry) error {
	if !w.open {
		return fmt.Errorf("the driver sent entry %q outside of a directory", e.Name)
	}
	if w.other || sdk.Reserved(e.Name) {
		return nil
	}
	w.pass.Entries++
	w.dig.entry(e)
	switch e.Type {
	case sdk.TypeDir:
		if !e.Mount {
			w.find(e)
		}
	case sdk.TypeUnknown:
	default:
		first := true
		if e.Nlink > 1 && !e.ID.IsZero() {
			first = w.links.add(e.ID, w.dirs[w.ended], e.Name)
		}
		if e.Type == sdk.TypeRegular && first {
			w.pass.Bytes += e.Size
		}
	}
	return nil
}

// find takes a directory found in the open one.
func (w *walk) find(e *sdk.Entry) {
	m := w.m
	m.mu.Lock()
	defer m.mu.Unlock()
	parent := w.dirs[w.ended]
	if e.ID.IsZero() {
		p, _ := m.tree.path(parent)
		w.problem(p.Join(strings.Clone(e.Name)), &sdk.Error{Kind: sdk.KindUnsupported, Op: "list", Msg: "the directory has no identity"})
		return
	}
	r, ok := m.tree.byID[e.ID]
	if !ok {
		r = m.tree.add(e.ID, place{parent, strings.Clone(e.Name)})
	}
	n := m.tree.at(r)
	if n.seen == w.seen {
		return // moved while the pass went on, or mounted a second time
	}
	if ok && (n.parent != parent || n.name != e.Name) {
		m.moves.relocate(r, n, place{parent, strings.Clone(e.Name)})
		m.rehung = append(m.rehung, r)
	}
	if n.is(flagGhost) {
		n.flags = n.flags&^flagGhost | flagUnknown | flagDirty
	}
	n.seen = w.seen
	w.found++
	w.stack = append(w.stack, r)
}

// EndDir closes a directory: here it is decided whether it is stamped.
func (w *walk) EndDir(i int, err *sdk.Error) error {
	if i != w.ended || i >= len(w.dirs) || (!w.open && err == nil) {
		return fmt.Errorf("the driver closed directory %d, not %d of %d", i, w.ended, len(w.dirs))
	}
	if err != nil && err.Kind == sdk.KindGone {
		return err
	}
	w.m.mu.Lock()
	defer w.m.mu.Unlock()
	r := w.dirs[i]
	switch {
	case err == nil && !w.other:
		w.listed(r)
	case (err == nil || err.Kind == sdk.KindNotExist || err.Kind == sdk.KindChanged) && !w.m.tree.at(r).is(flagHole):
		// Gone since it was found. Its parent's digest has it, and so differs
		// the next time. If it is there again by then, and gone once more, it is
		// a directory that cannot be listed.
		w.m.tree.at(r).flags |= flagHole
		w.save(r, false, false)
	case err == nil:
		w.unlisted(r, w.paths[i], &sdk.Error{Kind: sdk.KindChanged, Op: "list", Msg: "another directory was opened in its place"})
	default:
		w.unlisted(r, w.paths[i], err)
	}
	w.ended++
	w.open, w.other = false, false
	return nil
}

// listed compares a complete listing with the one before.
func (w *walk) listed(r ref) {
	n := w.m.tree.at(r)
	sum, racy := w.dig.done()
	was := n.flags
	differs := n.is(flagUnknown) || n.digest != sum
	n.digest = sum
	n.flags &^= flagUnknown | flagUnlisted | flagHole
	if racy {
		n.flags |= flagUnknown
		w.pass.Racy = true
	}
	w.pass.Dirs++
	w.save(r, differs || was&flagsKept != n.flags&flagsKept, differs)
}

// unlisted notes a directory that cannot be listed. It is stamped when that
// begins, and, its digest being unknown, when it ends.
func (w *walk) unlisted(r ref, p sdk.Path, err *sdk.Error) {
	n := w.m.tree.at(r)
	begins := !n.is(flagUnlisted)
	n.flags |= flagUnknown | flagUnlisted | flagHole
	w.save(r, begins, begins)
	w.problem(p, err)
}

// save stamps a node if it is to be, and puts it into the journal if that, or
// anything else about it, is news.
func (w *walk) save(r ref, news, stamp bool) {
	m := w.m
	n := m.tree.at(r)
	if stamp {
		if m.clock.use(w.tick) {
			m.journal.put(true, func(b []byte) []byte { return appendClock(b, m.clock.reserved) })
		}
		n.own = w.tick
		m.stamped = append(m.stamped, r)
	}
	if news || n.is(flagDirty) {
		m.record(r, true)
	}
}

func (w *walk) problem(p sdk.Path, err *sdk.Error) {
	w.pass.Unlisted++
	if len(w.pass.Problems) < MaxProblems {
		w.pass.Problems = append(w.pass.Problems, Problem{Path: p, Err: err})
	}
}
