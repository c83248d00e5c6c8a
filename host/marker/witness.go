package marker

import (
	"time"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// Witness makes the digest of a directory that somebody else lists, after a pass, to
// be held against what the pass found: see [Marker.Differs]. Whatever is asked of the
// source beyond what always is in an entry makes no difference. It sees one directory
// after the other, and is for one goroutine.
type Witness struct {
	dig   *digester
	now   sdk.Time
	began time.Time
}

// NewWitness returns a Witness of what the crawl after a pass lists.
func NewWitness(p Pass) *Witness {
	return &Witness{dig: newDigester(), now: p.Beacon.Now, began: time.Now().Add(-p.Took)}
}

// Begin opens a directory: self are its own attributes, read before its entries.
func (w *Witness) Begin(self *sdk.Entry) {
	w.dig.reset(sdk.Time{}, w.now.Add(int64(time.Since(w.began)+futureSlack)))
	w.dig.self(self)
}

// Entry takes one entry of the open directory, in the order of the listing.
func (w *Witness) Entry(e *sdk.Entry) {
	if !sdk.Reserved(e.Name) {
		w.dig.entry(e)
	}
}

// Alike reports whether two looks at one entry of a listing, the first of which is the
// listing's, or at the directory itself, are the same to a digest that has it. Of a
// directory in a listing that is not so much: only what is mounted there is told from
// another by more than identity.
func Alike(listed, later *sdk.Entry) bool {
	a, b := listed, later
	switch {
	case a.Type != b.Type, a.ID != b.ID, a.Perm != b.Perm, a.UID != b.UID, a.GID != b.GID:
		return false
	case a.Mount:
		return true
	case a.Mtime != b.Mtime, a.Ctime != b.Ctime:
		return false
	}
	return a.Type == sdk.TypeDir || a.Size == b.Size && a.Nlink == b.Nlink && a.Major == b.Major && a.Minor == b.Minor
}

// Differs reports whether a directory that was listed to its end is not as the index has
// it: it changed since the pass. It closes the directory that the witness has open.
// Of one that the index does not have, or of which it knows that a start must look
// there, it is false.
func (m *Marker) Differs(id sdk.FileID, w *Witness) bool {
	sum, _ := w.dig.done()
	m.mu.RLock()
	defer m.mu.RUnlock()
	r, ok := m.tree.byID[id]
	if !ok {
		return false
	}
	n := m.tree.at(r)
	return n.own != 0 && !n.is(flagUnknown|flagDoubt|flagGhost) && n.digest != sum
}

// Doubt notes directories that changed after the last pass, and of which the secondary
// has, or is about to get, what they are now: what the index knows of them proves
// nothing to a next start. In a power cut the primary may go back to just that, and
// nothing else would tell it from what is on the secondary. When it returns that is
// durable, so it is called before the secondary is marked. It leads to no look: the
// next pass is told of the change, and a directory in doubt that it lists is stamped.
//
// It waits for a pass that is under way.
func (m *Marker) Doubt(ids []sdk.FileID) error {
	m.pass.Lock()
	defer m.pass.Unlock()
	if m.closed {
		return ErrClosed
	}
	m.mu.Lock()
	for _, id := range ids {
		r, ok := m.tree.byID[id]
		if !ok {
			continue
		}
		if n := m.tree.at(r); n.own != 0 && !n.is(flagUnknown|flagDoubt|flagGhost) {
			n.flags |= flagDoubt
			m.record(r, true)
		}
	}
	m.mu.Unlock()
	return m.commit()
}
