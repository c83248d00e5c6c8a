package localtree

import (
	"context"
	"sync"

	"github.com/gsyncd/gsyncd-host/sdk"
)

const (
	// placeJobs is how many new files are put into place at a time where each of
	// them waits for a server, and placeEach how many one worker takes at least.
	placeJobs = 4
	placeEach = 16
)

// placed returns how many operations, from the first on, put new files into
// place: different ones, in whatever order. It is 0 where that is not worth it.
func placed(ops []sdk.Op) int {
	n := 0
	for n < len(ops) && ops[n].Kind == sdk.OpRename && ops[n].Synced && ours(ops[n].From) {
		n++
	}
	if n < 2*placeEach {
		return 0
	}
	return n
}

// place does what placed has found, a stretch of the list each: neighbours are in
// the same directory.
func (g *target) place(ctx context.Context, ops []sdk.Op, out []sdk.OpResult) {
	each := max(placeEach, (len(ops)+placeJobs-1)/placeJobs)
	var wg sync.WaitGroup
	for from := 0; from < len(ops); from += each {
		wg.Go(func() {
			a := newApplier(g)
			defer a.close()
			for i := from; i < min(from+each, len(ops)) && ctx.Err() == nil; i++ {
				out[i] = a.one(ctx, &ops[i])
			}
		})
	}
	wg.Wait()
}
