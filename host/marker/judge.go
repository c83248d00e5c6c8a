package marker

import (
	"slices"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// listed compares a complete listing with the one before.
func (w *walk) listed(r ref) {
	m := w.m
	n := m.tree.at(r)
	sum, racy := w.dig.done()
	was := n.flags
	differs := n.is(flagUnknown|flagDoubt) || n.digest != sum || w.hidden(n)
	n.digest = sum
	n.flags &^= flagUnknown | flagDoubt | flagUnlisted | flagHole | flagAgain
	if w.unseen {
		n.flags |= flagAgain // no mark need tell of it when it can be seen
		w.pass.Unseen++
	}
	if w.native && w.broken[r] {
		// Directories in it that changed since the first try were seen then, and
		// are passed over now.
		n.flags |= flagAgain
		w.pass.Racy = true
	}
	if w.native {
		w.natives = append(w.natives, nativeRead{r, w.native0})
	}
	if racy {
		n.flags |= flagUnknown
		w.pass.Racy = true
	}
	w.pass.Dirs++
	w.single += w.bytes
	m.tree.count(n, w.entries, w.bytes)
	for c := n.kid; c != 0; c = m.tree.at(c).next {
		k := m.tree.at(c)
		if _, again := m.missing[c]; !again && k.seen != w.seen && !k.is(flagGhost) {
			m.missing[c] = w.seen
			k.flags |= flagAgain // a restart forgets what is missing, and asks again
			m.pending[c] = struct{}{}
			m.record(c, true)
		}
	}
	w.save(r, differs || was&flagsKept != n.flags&flagsKept, differs)
}

// hidden reports whether the open directory was marked for something that its
// listing does not show: an attribute of an entry, or of its own if nothing below
// can have been the cause.
func (w *walk) hidden(n *node) bool {
	if !w.native || w.full || !n.is(flagNative) {
		return false
	}
	return w.newer || !w.below && !n.knows(w.native0)
}

// gone notes a directory that is not in its place any more. A partial pass goes
// on to ask its parent, unless that was asked after it was last found. If what
// holds it is missing, it is looked for once more where that is found.
func (w *walk) gone(r ref) {
	m := w.m
	n := m.tree.at(r)
	n.flags |= flagHole
	w.save(r, false, false)
	switch {
	case w.full || n.parent == 0:
		return
	case m.lost(r):
		n.listed = 0
		w.shelf = append(w.shelf, r)
		return
	}
	if p := m.tree.at(n.parent); p.listed != w.seen || !p.is(flagHole) {
		w.due(n.parent)
	}
}

// elsewhere reports whether directory i of the scan was looked for where, as the
// pass found meanwhile, it no longer is.
func (w *walk) elsewhere(i int) bool {
	if w.full {
		return false // there it was found first
	}
	p, ok := w.m.tree.path(w.dirs[i])
	return ok && p != w.paths[i]
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

// resolve has the directories listed that may not know what a file is by now, and
// reports whether there are any. What a file is that changed under one name shows in
// the directories of all, and those of the others may not be told of.
func (w *walk) resolve() bool {
	w.m.mu.Lock()
	defer w.m.mu.Unlock()
	return w.doubts()
}

func (w *walk) doubts() bool {
	w.mourn()
	w.m.links.resolve(w.due, func(id sdk.FileID) {
		if !w.full {
			w.short[id] = struct{}{}
		}
	})
	return len(w.stack) > 0
}

// mourn has the files looked into that had names in directories that are gone.
func (w *walk) mourn() {
	m := w.m
	if len(m.missing) == 0 || len(m.links.dirs) == 0 {
		return
	}
	var tops []ref
	for top, since := range m.missing {
		if since == w.seen && !w.mourned[top] {
			tops = append(tops, top)
		}
	}
	slices.Sort(tops) // so that equal trees make equal passes
	for _, top := range tops {
		w.mourned[top] = true
		m.tree.below(top, func(r ref, _ *node) { m.links.lose(r) })
	}
}

// due lists a directory in this pass, or once more in the next.
func (w *walk) due(r ref) {
	m := w.m
	switch {
	case m.tree.at(r).listed == w.seen && !slices.Contains(w.dirs[min(w.ended+1, len(w.dirs)):], r):
		m.tree.at(r).flags |= flagAgain
		m.pending[r] = struct{}{}
		m.record(r, true) // outlasts a restart: nothing else leads there
		w.pass.Racy = true
	case !w.full:
		m.pending[r] = struct{}{}
		w.stack = append(w.stack, r)
	}
}

// save stamps a node if it is to be, and puts it into the journal if that, or
// anything else about it, is news.
func (w *walk) save(r ref, news, stamp bool) {
	m := w.m
	n := m.tree.at(r)
	if n.is(flagsPending) {
		m.pending[r] = struct{}{}
	} else {
		delete(m.pending, r)
	}
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
