package marker

import (
	"slices"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// XTime returns the xtime of a directory as of the last pass: the latest change
// at it or anywhere below it. It is false for a directory that no pass found.
func (m *Marker) XTime(id sdk.FileID) (sdk.XTime, bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	r, ok := m.tree.byID[id]
	if !ok {
		return sdk.XTime{}, false
	}
	return m.xtime(r)
}

func (m *Marker) xtime(r ref) (sdk.XTime, bool) {
	n := m.tree.at(r)
	if n.max == 0 || n.is(flagGhost) {
		return sdk.XTime{}, false
	}
	return sdk.XTime{Epoch: m.epoch, Seq: n.max}, true
}

// Place is where a directory is.
type Place struct {
	Dir  sdk.FileID // the directory that holds it; zero for the root
	Name string     // its name there
	// Missing says that the last pass to look there did not find it, nor what holds
	// it, and no pass found it elsewhere yet.
	Missing bool
}

// Place returns where the last pass had a directory. It is false for one that
// has no xtime.
func (m *Marker) Place(id sdk.FileID) (Place, bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	r, ok := m.tree.byID[id]
	if !ok {
		return Place{}, false
	}
	if _, ok = m.xtime(r); !ok {
		return Place{}, false
	}
	n := m.tree.at(r)
	p := Place{Name: n.name, Missing: m.lost(r)}
	if n.parent != 0 {
		p.Dir = m.tree.at(n.parent).id
	}
	return p, true
}

// Has reports whether a directory is in the tree as far as is known, by passes or
// by the one under way.
func (m *Marker) Has(id sdk.FileID) bool {
	m.mu.RLock()
	defer m.mu.RUnlock()
	r, ok := m.tree.byID[id]
	return ok && !m.tree.at(r).is(flagGhost)
}

// Dirs counts the directories that are known.
func (m *Marker) Dirs() int {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.tree.len()
}

// Linked reports whether files with several names are known.
func (m *Marker) Linked() bool {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return len(m.links.byID) > 0
}

// Holders gives the directories in which a file with several names had some when
// they were last listed.
func (m *Marker) Holders(file sdk.FileID) []sdk.FileID {
	m.mu.RLock()
	defer m.mu.RUnlock()
	var out []sdk.FileID
	m.links.each(file, func(dir ref, _ string) { out = append(out, m.tree.at(dir).id) })
	return out
}

// Native returns the native xtime that was read for a directory before what the
// last pass knew of it and all below it: of a source without native xtimes, of
// one that no pass found, and while a pass comes to its end, it is false.
func (m *Marker) Native(id sdk.FileID) (sdk.NativeXTime, bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	r, ok := m.tree.byID[id]
	if !ok || m.settling {
		return sdk.NativeXTime{}, false
	}
	n := m.tree.at(r)
	return n.native, n.is(flagNative) && !n.is(flagGhost)
}

// Links returns the names of a file that had several when the directories they
// are in were last listed, sorted; nil if it had one. Names outside the tree are
// not among them. Unless the index keeps a point, nothing is known of directories that
// were not listed since Open, see [Pass.NamesKnown].
func (m *Marker) Links(id sdk.FileID) []sdk.Path {
	m.mu.RLock()
	defer m.mu.RUnlock()
	var out []sdk.Path
	m.links.each(id, func(dir ref, name string) {
		if m.lost(dir) {
			return
		}
		p, ok := m.tree.path(dir)
		if p = p.Join(name); ok && len(p) <= sdk.MaxPath {
			out = append(out, p)
		}
	})
	slices.Sort(out)
	if len(out) < 2 {
		return nil
	}
	return out
}

// Moved says that a move needs no more to be reported: the secondary has the
// directory where the last pass said, or has no use for the move.
func (m *Marker) Moved(id sdk.FileID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r, ok := m.tree.byID[id]
	if !ok || !m.moves.done(r, m.tree.at(r)) {
		return
	}
	m.record(r, true)
}
