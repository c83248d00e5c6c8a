package marker

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// Holes, faults, restarts, index resets and passes of any kind, in any order: a
// sweep makes the index what a fresh one would be, and nothing ever goes back.
func TestSweepModel(t *testing.T) {
	for _, seed := range seeds(t, 6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Logf("GSYNCD_SEED=%d", seed)
			r := newRigTold(t, native)
			u := &mutator{Rand: rand.New(rand.NewPCG(seed, 3)), fs: r.fs}
			r.fs.skip = func() bool { return u.IntN(5) == 0 }
			var sick []*object
			for range 60 {
				u.hit, u.unmarked = map[sdk.FileID]bool{}, map[sdk.FileID]bool{}
				for range u.IntN(6) {
					u.op()
				}
				r.fs.now += u.Int64N(2 * r.fs.step)
				switch u.IntN(12) {
				case 0:
					r.crash()
				case 1:
					r.m.Close()
					r.open()
				case 2:
					r.fs.reindex()
					r.fs.mark(sdk.Root)
				case 3:
					if o := r.fs.must(u.pick(true)); o != r.fs.root {
						o.fail, sick = &sdk.Error{Kind: sdk.KindPermission, Op: "open"}, append(sick, o)
					}
				case 4:
					for _, o := range sick {
						o.fail = nil
					}
					sick = nil
				case 5:
					left := u.IntN(4)
					r.fs.onList = func(sdk.Path) {
						if left--; left < 0 {
							r.fs.broken = &sdk.Error{Kind: sdk.KindGone, Op: "scan"}
						}
					}
					_, _ = r.m.Refresh(t.Context(), r.fs, Hint{All: true, Sweep: u.IntN(2) == 0})
					r.fs.onList, r.fs.broken = nil, nil
				}
				before := known(r)
				r.lookAt(Hint{All: true, Sweep: u.IntN(5) == 0})
				for id, x := range known(r) {
					if was := before[id]; x.Epoch == was.Epoch && x.Seq < was.Seq {
						t.Fatalf("xtime went from %v to %v", was, x)
					}
				}
			}
			for _, o := range sick {
				o.fail = nil
			}
			r.sweep()
			r.same()
			r.sweep()
			r.sweep()
			if n := r.m.tree.len() - len(r.m.ghosts); n != len(r.fs.dirs()) {
				t.Errorf("%d directories in the index, %d in the tree", n, len(r.fs.dirs()))
			}
			r.same()
			byID(r)
		})
	}
}

// known gives the xtimes of those directories that have one.
func known(r *rig) map[sdk.FileID]sdk.XTime {
	out := map[sdk.FileID]sdk.XTime{}
	for id := range r.fs.dirs() {
		if x, ok := r.m.XTime(id); ok {
			out[id] = x
		}
	}
	return out
}
