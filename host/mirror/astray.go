package mirror

import (
	"github.com/gsyncd/gsyncd-host/host/crawl"
	"github.com/gsyncd/gsyncd-host/sdk"
)

// astray holds directories that the crawl did not meet where the pass had found
// them, and for how many turns in a row. They were renamed, or removed, since: a
// turn's moves are those of its pass. To make such a directory anew in the one
// place, and to remove it in the other, would be to bring all that is in it once
// more. So both are left to the next turn, whose pass finds it.
type astray map[sdk.FileID]int

// maxAstray is for how many turns in a row a directory is left alone: one that is
// renamed again and again, or is seen in two places, must not stay behind for ever.
const maxAstray = 3

// leave reports whether nothing is to be done about a name in this turn, for the
// sake of a directory that is astray: the primary's, or the one that the secondary
// holds under that name.
func (w *walker) leave(n *node, a *crawl.Action) bool {
	if !w.movesDirs() {
		return false
	}
	var came, went sdk.FileID
	if a.P != nil && a.P.Type == sdk.TypeDir && !a.P.Mount {
		came = a.P.ID
	}
	if a.S != nil && a.S.Type == sdk.TypeDir && a.Kind != crawl.Fail && a.Kind != crawl.Leftover {
		if m, err := crawl.DecodeMark(a.S.Mark); err == nil {
			went = m.Dir
		}
	}
	if came == went {
		return false // neither is a directory, or both are the same
	}
	late := !came.IsZero() && w.cameLate(n, a.Name(), came) && w.stray(came)
	if !went.IsZero() && w.wentLate(n, a.Name(), went) && w.stray(went) {
		late = true
	}
	if !late {
		return false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	n.failName(a.Name())
	w.missed(true) // what is in it may have come from anywhere
	return true
}

// stray counts a directory that is astray, and reports whether it is to be left
// alone.
func (w *walker) stray(id sdk.FileID) bool {
	turns := w.Mirror.astray[id]
	if turns >= maxAstray {
		return false
	}
	w.astray[id] = turns + 1
	return true
}

// cameLate reports whether a directory that is in n now was elsewhere when the pass
// found it.
func (w *walker) cameLate(n *node, name string, id sdk.FileID) bool {
	at, ok := w.Marker.Place(id)
	return ok && (at.Dir != n.id || at.Name != name)
}

// wentLate reports whether a directory that is no longer in n was there when the
// pass found it. It may also have been moved behind the pass's back, if n changed
// as late as that: from where the pass was yet to look to where it had looked.
func (w *walker) wentLate(n *node, name string, id sdk.FileID) bool {
	at, ok := w.Marker.Place(id)
	switch {
	case !ok:
		return false
	case at.Missing:
		return crawl.Changed(&n.self).Compare(w.since) >= 0
	}
	return at.Dir == n.id && at.Name == name
}
