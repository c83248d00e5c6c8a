package marker

import "github.com/gsyncd/gsyncd-host/sdk"

// doubt is why a file is to be looked into. Of several the greatest counts.
type doubt uint8

const (
	doubtNone doubt = iota
	doubtMet        // found as it was not before, or with names that are not known
	doubtLost       // a directory with one of its names is missing
	doubtTorn       // one of its names is gone
)

// again has a file looked into by the next pass: the one that met it broke off.
func (t *linkTable) again(id sdk.FileID) {
	if f, ok := t.byID[id]; ok {
		t.doubt(f, doubtMet)
	}
}

// doubt has a file looked into by resolve.
func (t *linkTable) doubt(f uint32, why doubt) {
	r := &t.files[f]
	if r.doubt == doubtNone {
		t.doubts = append(t.doubts, f)
	}
	r.doubt = max(r.doubt, why)
}

// resolve looks into the files in doubt, each once however many of its names gave
// rise to it. It calls due for the directories that did not find a file as it was
// found last, and, if names are gone, for all that may have it otherwise than they
// know; and waits for each file with names that the table does not know.
func (t *linkTable) resolve(due func(dir ref), waits func(id sdk.FileID)) {
	for _, f := range t.doubts {
		r := &t.files[f]
		why := r.doubt
		if r.doubt = doubtNone; why == doubtNone {
			continue // it is no more
		}
		short := t.short(f)
		if short && t.waits(r.id) {
			waits(r.id)
		}
		if !short {
			t.agree(f)
		}
		for i := r.head; i != 0; i = t.names[i].next {
			n := &t.names[i]
			if n.version != r.version || short && (why == doubtTorn || why == doubtLost && !t.lost(n.dir)) {
				due(n.dir)
			}
		}
	}
	t.doubts = t.doubts[:0]
}

// agree lowers how many names of a file are not in the tree to what its directories
// leave room for, once all of them found it as it was found last: names that a pass
// did not find for having gone meanwhile are none that others may be gone for.
func (t *linkTable) agree(f uint32) {
	r := &t.files[f]
	left, losses := int64(r.nlink)-int64(r.known), t.losses()
	for i := r.head; i != 0; i = t.names[i].next {
		switch n := &t.names[i]; {
		case losses && t.lost(n.dir):
			left++
		case n.version != r.version:
			return
		}
	}
	r.outside = min(r.outside, uint32(max(left, 0)))
}

// lose notes that a directory is missing.
func (t *linkTable) lose(dir ref) {
	for i := t.dirs[dir]; i != 0; i = t.names[i].sibling {
		t.doubt(t.names[i].file, doubtLost)
	}
}

// waits reports whether names of a file are not known that may be in the tree. A
// file with none but in directories that are missing waits for these. A directory
// that just went missing may be on its way, and its names with it; one that did
// before has none any more that could stand for others.
func (t *linkTable) waits(id sdk.FileID) bool {
	r := &t.files[t.byID[id]]
	if !t.losses() {
		return r.short(0)
	}
	met, gone := false, int64(0)
	for i := r.head; i != 0; i = t.names[i].next {
		switch dir := t.names[i].dir; {
		case !t.lost(dir):
			met = true
		case t.gone(dir):
			gone++
		}
	}
	return met && r.short(gone)
}

// short reports whether names are not known, or are gone, of those known that are in
// directories that are missing.
func (t *linkTable) short(f uint32) bool {
	r := &t.files[f]
	if r.short(0) || !t.losses() {
		return r.short(0)
	}
	lost := int64(0)
	for i := r.head; i != 0; i = t.names[i].next {
		if t.lost(t.names[i].dir) {
			lost++
		}
	}
	return r.short(lost)
}
