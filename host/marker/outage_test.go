package marker

import (
	"bytes"
	"maps"
	"slices"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// past does what only a tree with a past is asked to bear.
func (u *mutator) past(r *rig) {
	u.hit, u.unmarked = map[sdk.FileID]bool{}, map[sdk.FileID]bool{}
	switch u.IntN(60) {
	case 0, 1, 2:
		r.fs.commit() // as it does at any time
	case 3:
		if p := u.pick(true); p != sdk.Root {
			r.fs.leave(p)
		}
	case 4, 5:
		for _, name := range slices.Sorted(maps.Keys(r.fs.away.kids)) { // changed where it is
			r.fs.walk(r.fs.away.kids[name], "x", func(o *object, _ sdk.Path) {
				for _, name := range slices.Sorted(maps.Keys(o.kids)) {
					if k := o.kids[name]; k.kids == nil && u.IntN(4) == 0 {
						k.data++
						r.fs.touchedDir(k)
						r.fs.dirty[o.entry.ID] = true
					}
				}
			})
			r.fs.comeBack(name, u.name(u.pick(true)))
			break
		}
	}
}

// outage makes a pass that does not come to its end, or whose end is not all in the
// index, and begins anew: over the tree as it is, or as it was committed last.
func (r *rig) outage(u *mutator, sick *faults) {
	r.t.Helper()
	before := r.index()
	switch u.IntN(3) {
	case 0: // while it is under way
		left, onList := u.IntN(4), r.fs.onList
		var then []byte
		r.fs.onList = func(p sdk.Path) {
			if onList(p); left == 0 && then == nil {
				then = r.index()
				r.fs.broken = &sdk.Error{Kind: sdk.KindGone, Op: "scan"}
			}
			left--
		}
		hint := r.tell()
		if hint.Until == "" {
			hint = r.teller.pin(r)
		}
		_, err := r.try(hint)
		r.fs.onList, r.fs.broken = onList, nil
		if err != nil && u.IntN(2) == 0 {
			r.setIndex(then)
		}
	case 1: // while its end is written
		_, _ = r.try(r.tell())
		if after := r.index(); bytes.HasPrefix(after, before) {
			r.setIndex(after[:len(before)+u.IntN(len(after)-len(before)+1)])
		} else if u.IntN(2) == 0 {
			r.setIndex(before)
		}
	default: // while nothing is
	}
	if u.IntN(3) > 0 {
		r.fs.cutPower(u.IntN(2) == 0)
		sick.forget(r.fs)
	}
	r.crash()
}
