package marker

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// seeds gives the seeds to run: that of GSYNCD_SEED, or n fresh ones.
func seeds(t *testing.T, n int) []uint64 {
	if s := os.Getenv("GSYNCD_SEED"); s != "" {
		v, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		return []uint64{v}
	}
	var out []uint64
	for range n {
		out = append(out, rand.Uint64())
	}
	return out
}

// TestModel compares the marker with what is known of every change: exactly the
// directories that changed and those above them have a new xtime, and the moves
// turn the layout that the secondary has into the tree's.
func TestModel(t *testing.T) {
	everyWay(t, 3, func(t *testing.T, seed uint64, by told) {
		r := newRigTold(t, by)
		u := &mutator{Rand: rand.New(rand.NewPCG(seed, 1)), fs: r.fs}
		r.quiet()
		before := byID(r)
		secondary := r.fs.dirs() // where the secondary has what
		r.dice = rand.New(rand.NewPCG(seed, 4))
		stale := map[sdk.FileID]bool{}
		for range 120 {
			looks := r.fs.looks()
			u.hit, u.unmarked = map[sdk.FileID]bool{}, map[sdk.FileID]bool{}
			for range u.IntN(6) {
				u.op()
			}
			r.fs.pass()
			lost := false // what the secondary did last
			again := map[sdk.FileID]bool{}
			if u.IntN(8) == 0 {
				lost = true
				if by == points && u.IntN(2) == 0 {
					r.fs.cutPower(u.IntN(2) == 0)
					r.fs.pass()
				}
				r.crash()
				again = r.stampedSince()
			} else if u.IntN(8) == 0 {
				r.m.Close()
				r.open()
				again = r.stampedSince()
			}
			// Nobody knows all names of a file after a restart, nor a mark of them.
			if by == native && !r.m.links.filled && len(u.unmarked) > 0 {
				r.sweep()
				before, secondary = byID(r), r.fs.dirs()
				for id := range secondary {
					r.m.Moved(id)
				}
				continue
			}
			p := r.look()
			after, paths := byID(r), r.fs.dirs()
			want := map[sdk.FileID]bool{}
			if by == points {
				u.hit = map[sdk.FileID]bool{}
				for id, is := range r.fs.looks() {
					u.hit[id] = looks[id] != is
				}
				maps.DeleteFunc(u.hit, func(_ sdk.FileID, hit bool) bool { return !hit })
			}
			for id := range paths {
				if _, old := before[id]; !old {
					u.hit[id] = true
				}
			}
			for id := range u.hit {
				r.above(want, paths, id)
			}
			got := map[sdk.FileID]bool{}
			for id, x := range after {
				if was, old := before[id]; x != was {
					got[id] = true
					if old && (x.Seq < was.Seq || x.Epoch != was.Epoch) {
						t.Errorf("xtime of %s went from %v to %v", paths[id], was, x)
					}
				}
			}
			if by == native {
				// A mark that comes late, or after a crash once more, may be taken for
				// one of something that does not show.
				maps.DeleteFunc(got, func(id sdk.FileID, _ bool) bool { return !want[id] })
			}
			if by == points {
				may := map[sdk.FileID]bool{}
				for id := range again {
					r.above(may, paths, id)
				}
				maps.DeleteFunc(got, func(id sdk.FileID, _ bool) bool { return may[id] && !want[id] })
			}
			if by == names {
				stale = r.forgive(want, got, u.hit, stale, paths, p.Swept)
			}
			r.expect("changed", want, got)
			before = after
			if !lost {
				checkMoves(t, p.Moves, secondary, paths)
			}
			if lost || u.IntN(3) > 0 { // the secondary follows
				secondary = paths
				for _, mv := range p.Moves {
					r.m.Moved(mv.ID)
				}
			}
			if t.Failed() {
				return
			}
		}
	})
}

// stampedSince gives the directories that are stamped once more by a pass that begins
// from the point.
func (r *rig) stampedSince() map[sdk.FileID]bool {
	out := map[sdk.FileID]bool{}
	for _, n := range r.m.tree.all() {
		if n.own > r.m.point.floor {
			out[n.id] = true
		}
	}
	return out
}

// above adds a directory, and those that hold it, to a set.
func (r *rig) above(set map[sdk.FileID]bool, paths map[sdk.FileID]sdk.Path, id sdk.FileID) {
	if at, ok := paths[id]; ok {
		for set[id] = true; at != sdk.Root; {
			at = at.Dir()
			set[r.fs.id(at)] = true
		}
	}
}

// forgive takes out of what differs what no watcher can tell of: the directories of
// files that had one more name, which is gone. They are stale until they are listed
// for another reason, or by a sweep; it returns those that may be.
func (r *rig) forgive(want, got, hit, stale map[sdk.FileID]bool, paths map[sdk.FileID]sdk.Path, swept bool) map[sdk.FileID]bool {
	stale = maps.Clone(stale)
	r.fs.walk(r.fs.root, sdk.Root, func(o *object, _ sdk.Path) {
		for _, k := range o.kids {
			if r.fs.holes[k.entry.ID] && hit[o.entry.ID] {
				stale[o.entry.ID] = true
			}
		}
	})
	must, may := map[sdk.FileID]bool{}, map[sdk.FileID]bool{}
	for id := range hit {
		if swept || !stale[id] || slices.Contains(r.hint.Dirs, id) {
			r.above(must, paths, id)
		}
	}
	for id := range stale {
		r.above(may, paths, id)
	}
	maps.DeleteFunc(want, func(id sdk.FileID, _ bool) bool { return !must[id] && !got[id] })
	for id := range got {
		if may[id] {
			want[id] = true
		}
	}
	if swept {
		clear(stale)
	}
	return stale
}

// everyWay runs a test with n seeds and with everything that a marker can be told.
func everyWay(t *testing.T, n int, f func(t *testing.T, seed uint64, by told)) {
	for _, seed := range seeds(t, n) {
		for _, by := range ways() {
			t.Run(fmt.Sprintf("%s %d", by, seed), func(t *testing.T) {
				t.Logf("GSYNCD_SEED=%d", seed)
				f(t, seed, by)
			})
		}
	}
}

func byID(r *rig) map[sdk.FileID]sdk.XTime {
	out := map[sdk.FileID]sdk.XTime{}
	for id := range r.fs.dirs() {
		x, ok := r.m.XTime(id)
		if !ok {
			r.t.Errorf("no xtime for a directory")
		}
		out[id] = x
	}
	return out
}

// checkMoves holds moves against the two layouts.
func checkMoves(t *testing.T, moves []Move, from, to map[sdk.FileID]sdk.Path) {
	t.Helper()
	at := func(layout map[sdk.FileID]sdk.Path, p sdk.Path) (id sdk.FileID) {
		for d, q := range layout {
			if q == p {
				return d
			}
		}
		return id
	}
	told := map[sdk.FileID]bool{}
	for _, m := range moves {
		told[m.ID] = true
		if to[m.ID] != m.To {
			t.Errorf("%v is at %q", m, to[m.ID])
		}
		if was, ok := from[m.ID]; ok && was != m.From {
			t.Errorf("%v was at %q", m, was)
		}
	}
	for id, p := range to {
		was, ok := from[id]
		if !ok || p == sdk.Root {
			continue
		}
		moved := was.Base() != p.Base() || at(from, was.Dir()) != at(to, p.Dir())
		if moved != told[id] {
			t.Errorf("%q is now %q: told %v", was, p, told[id])
		}
	}
}

// same compares the index with a fresh one.
func (r *rig) same() {
	r.t.Helper()
	fresh := &rig{t: r.t, fs: r.fs, dir: r.t.TempDir(), wall: r.wall}
	fresh.open()
	defer fresh.m.Close()
	want := fresh.sweep()
	r.expect("index", fresh.state(), r.state())
	got := r.look()
	r.expect("entries", want.Entries, got.Entries)
	if len(r.m.missing) == 0 {
		r.expect("bytes", want.Bytes, got.Bytes)
	}
}

// state describes what an index knows of the tree.
func (r *rig) state() map[sdk.Path]string {
	out := map[sdk.Path]string{}
	for id, p := range r.fs.dirs() {
		n := r.m.tree.at(r.m.tree.byID[id])
		at, _ := r.m.tree.path(r.m.tree.byID[id])
		out[p] = fmt.Sprintf("%v at %s, %x, flags %b", n.id, at, n.digest, n.flags&flagsPending)
	}
	r.fs.walk(r.fs.root, sdk.Root, func(o *object, p sdk.Path) {
		if o.entry.Nlink > 1 && o.kids == nil && r.m.links.filled {
			out[p] = fmt.Sprint(r.m.Links(o.entry.ID))
		}
	})
	return out
}

func ghosts(t *tree) (n int) {
	for _, d := range t.all() {
		if d.is(flagGhost) {
			n++
		}
	}
	return n
}
