package localtree

import (
	"sync"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/localfs"
)

// idleWays is how many directories are kept open for those who come next.
const idleWays = 8

// ways keeps some directories open where marks are set: a path there is walked
// anew each time, at a round trip for each of its components. Its methods may be
// called concurrently.
type ways struct {
	mu   sync.Mutex
	idle []*localfs.Dir // the one used last comes last
}

// take returns an idle directory that was opened as p, or nil.
func (w *ways) take(p sdk.Path) *localfs.Dir {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, d := range w.idle {
		if d.Path() == p {
			w.idle = append(w.idle[:i], w.idle[i+1:]...)
			return d
		}
	}
	return nil
}

// give makes a directory idle.
func (w *ways) give(d *localfs.Dir) {
	w.mu.Lock()
	w.idle = append(w.idle, d)
	var old *localfs.Dir
	if len(w.idle) > idleWays {
		old, w.idle = w.idle[0], w.idle[1:]
	}
	w.mu.Unlock()
	old.Close()
}

func (w *ways) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, d := range w.idle {
		d.Close()
	}
	w.idle = nil
}
