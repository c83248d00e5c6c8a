package marker

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// TestMirrorModel changes the tree during passes and during crawls, many times
// within a tick of its clock, with crashes: once all is quiet and the root's mark
// equal, the trees are equal.
func TestMirrorModel(t *testing.T) {
	everyWay(t, 4, func(t *testing.T, seed uint64, by told) { mirrorModel(t, seed, by, nil) })
}

// TestMirrorModelWithFaults has directories that cannot be listed for a while, and
// passes that break off, as well.
func TestMirrorModelWithFaults(t *testing.T) {
	everyWay(t, 2, func(t *testing.T, seed uint64, by told) { mirrorModel(t, seed, by, &faults{}) })
}

func mirrorModel(t *testing.T, seed uint64, by told, sick *faults) {
	r := newRigTold(t, by)
	u := &mutator{Rand: rand.New(rand.NewPCG(seed, 2)), fs: r.fs}
	r.fs.async = by == native
	if r.dice = rand.New(rand.NewPCG(seed, 4)); by == points {
		r.teller.events, r.fs.dirty = true, map[sdk.FileID]bool{}
	}
	copyOf := &replica{dirs: map[string]*replica{}}
	disturb := func() {
		if u.IntN(4) == 0 {
			u.hit, u.unmarked = map[sdk.FileID]bool{}, map[sdk.FileID]bool{}
			u.op()
			r.fs.now += u.Int64N(r.fs.step)
		}
		if by == points {
			u.past(r)
		}
	}
	calm := func() {
		r.fs.arrive(-1)
		sick.heal()
		r.quiet()
		if by == points && r.teller.begun { // what no watcher can tell of
			r.lookAt(r.teller.pin(r))
			r.quiet()
		}
		if !copyOf.crawl(r, sdk.Root, r.fs.root.entry.ID, func() {}) {
			t.Fatal("not marked")
		}
	}
	held := func(except map[sdk.FileID]bool) {
		var want, got strings.Builder
		hidden := map[sdk.Path]bool{}
		r.fs.walk(r.fs.root, sdk.Root, func(o *object, p sdk.Path) { hidden[p] = except[o.entry.ID] })
		primary(r.fs.root).dump(&want, sdk.Root, hidden)
		copyOf.dump(&got, sdk.Root, hidden)
		r.expect("secondary", want.String(), got.String())
	}
	for range 40 {
		r.fs.onList = func(sdk.Path) {
			disturb()
			r.fs.arrive(u.IntN(8))
		}
		for range 1 + u.IntN(3) {
			sick.strike(r, u)
			r.look()
			if by == points && u.IntN(6) == 0 {
				r.outage(u, sick)
			}
		}
		r.fs.onList = nil
		switch u.IntN(10) {
		case 0:
			r.crash()
		case 1: // the end of the index is lost
			b := r.index()
			r.setIndex(b[:len(b)-u.IntN(len(b)/4)])
			r.crash()
		case 2:
			r.wall = r.wall.Add(-1e12)
		case 3:
			if by == native && u.IntN(3) == 0 {
				r.fs.reindex()
				r.fs.mark(sdk.Root)
			}
		}
		cut := by != native && u.IntN(6) == 0
		if cut {
			r.fs.commit()
		}
		copyOf.crawl(r, sdk.Root, r.fs.root.entry.ID, disturb)
		if cut { // before anybody looks at what changed meanwhile
			r.fs.cutPower(u.IntN(2) == 0)
			sick.forget(r.fs)
			r.crash()
		}
		r.fs.now += u.Int64N(2 * r.fs.step)
		if cut || by == points && u.IntN(8) == 0 {
			calm()
			held(r.fs.holes)
		}
	}
	calm()
	if held(r.fs.holes); len(r.fs.holes) > 0 {
		r.sweep()
		copyOf.crawl(r, sdk.Root, r.fs.root.entry.ID, func() {})
		held(nil)
	}
	if by != native { // names of files that nobody knows after a restart
		r.same()
	}
	for range 3 {
		r.sweep()
	}
	if n := r.m.tree.len() - ghosts(r.m.tree); n != len(r.fs.dirs()) {
		t.Errorf("%d directories in the index, %d in the tree", n, len(r.fs.dirs()))
	}
	r.same()
}
