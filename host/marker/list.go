package marker

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/gsyncd/gsyncd-host/sdk"
)

var _ sdk.ScanSink = (*walk)(nil)

// BeginDir opens a directory of the scan.
func (w *walk) BeginDir(i int, self *sdk.Entry) error {
	if i != w.ended || i >= len(w.dirs) || w.open {
		return fmt.Errorf("the driver opened directory %d, not %d of %d", i, w.ended, len(w.dirs))
	}
	w.m.mu.RLock()
	n := w.m.tree.at(w.dirs[i])
	id, was := n.id, n.native
	if !n.is(flagNative) {
		was = sdk.NativeXTime{Sec: math.MaxUint32}
	}
	w.m.mu.RUnlock()
	w.open = true
	// What was swapped in since it was found is left for the next pass.
	w.other = self.Type != sdk.TypeDir || self.ID != id || self.Mount
	took := time.Since(w.began)
	w.dig.reset(w.young, w.pass.Beacon.Now.Add(int64(took+futureSlack)))
	w.dig.self(self)
	if w.native {
		w.dig.marked(self.Native)
	}
	w.native0, w.entries, w.bytes, w.unseen = self.Native, 0, 0, false
	w.newer, w.below, w.last = false, false, was
	w.links.reset()
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
	w.entries++
	w.dig.entry(e)
	switch {
	case e.Type == sdk.TypeDir:
		if !e.Mount {
			w.find(e)
		}
	case e.Type == sdk.TypeUnknown:
		w.unseen = true
	case e.Native.Compare(w.last) > 0:
		w.newer = true
	}
	switch {
	case e.Type == sdk.TypeDir, e.Type == sdk.TypeUnknown:
	case e.Nlink > 1 && !e.ID.IsZero():
		w.links.add(e)
	case e.Type == sdk.TypeRegular:
		w.bytes += e.Size
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
	moved := n.parent != parent || n.name != e.Name
	if n.seen == w.seen {
		// Moved while the pass went on, or mounted a second time. Only of the first
		// can be had with native xtimes, and no mark need tell of it any more.
		w.dig.racy = w.dig.racy || w.native && moved
		return
	}
	if moved {
		if m.tree.within(parent, r) {
			// The index still has the open directory below what is now in it.
			w.dig.racy = true
			if !w.full {
				w.widen = "directories changed places"
			}
			return
		}
		w.left(r, parent)
		m.moves.relocate(m.tree, r, place{parent, strings.Clone(e.Name)})
		m.rehung = append(m.rehung, r)
	}
	delete(m.missing, r)
	if n.is(flagGhost) {
		delete(m.ghosts, r)
		n.flags = n.flags&^flagGhost | flagUnknown | flagDirty
	}
	n.seen = w.seen
	if n.is(flagHole) && n.listed == w.seen {
		n.listed = 0 // it was looked for where it no longer is
	}
	if w.full || moved || n.is(flagsPending) || n.listed < m.whole || w.native && !n.knows(e.Native) {
		w.stack = append(w.stack, r)
		w.below = true
	}
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
	met := w.open && !w.other
	if met && err != nil {
		w.broken[r] = true
	}
	elsewhere := (err != nil || w.other) && w.elsewhere(i)
	// The names in a directory that was not met stay known until it is, or is
	// forgotten: of those that are gone by then, nothing else would tell.
	if met && !elsewhere {
		w.m.links.replace(r, &w.links)
	}
	switch {
	case elsewhere:
		w.m.tree.at(r).listed = 0
		w.stack = append(w.stack, r)
	case err == nil && !w.other:
		w.listed(r)
	case w.m.tree.at(r).seen != w.seen:
		w.gone(r) // an earlier pass found it: its parent tells whether it is there
	case (err == nil || err.Kind == sdk.KindNotExist || err.Kind == sdk.KindChanged) && !w.m.tree.at(r).is(flagHole):
		// Gone since it was found. Its parent's digest has it, and so differs
		// the next time. If it is there again by then, and gone once more, it is
		// a directory that cannot be listed.
		w.gone(r)
	case err == nil:
		w.unlisted(r, w.paths[i], &sdk.Error{Kind: sdk.KindChanged, Op: "list", Msg: "another directory was opened in its place"})
	default:
		w.unlisted(r, w.paths[i], err)
	}
	w.ended++
	w.open, w.other = false, false
	return nil
}
