package watch

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// jostled is an ear that comes too late for what is mounted, so many times.
type jostled struct {
	ear
	late atomic.Int32
}

func (j *jostled) span(each visits) (bool, error) {
	if j.late.Add(-1) >= 0 {
		return false, errMoved
	}
	return j.ear.span(each)
}

// TestSpanRestless: mounts come and go faster than they can be opened, as when a
// thousand are unmounted one by one. That ends, and events are heard as before.
func TestSpanRestless(t *testing.T) {
	needsRoot(t)
	r := newRig(t, memory(t), Fanotify)
	r.cross = true
	r.mount("a", "tmpfs", "size=1m")
	var j *jostled
	r.wrap = func(e ear) ear { j = &jostled{ear: e}; return j }
	r.open()
	r.follow()
	j.late.Store(3 * spanTries)
	r.noticed("mount", true, func() error { r.mount("b", "tmpfs", "size=1m"); return nil })
	r.noticed("write in what was mounted", false, func() error { return os.WriteFile(r.path("b/f"), nil, 0o644) })
	select {
	case err := <-r.deaf:
		t.Error(err)
	default:
	}
	r.d.hearing.Lock()
	defer r.d.hearing.Unlock()
	j.late.Store(2 * spanTries)
	if news, err := r.d.span(); !news || err != nil {
		t.Errorf("news %v, %v", news, err)
	}
	r.d.restless = r.d.restless.Add(-2 * spanPatience)
	if _, err := r.d.span(); !errors.Is(err, errMoved) {
		t.Errorf("%v, and it never ends", err)
	}
}

// gated is an ear whose reader waits at a gate.
type gated struct {
	ear
	gate *sync.Mutex
}

func (g *gated) hear(tell func(sdk.FileID) bool) (bool, error) {
	g.gate.Lock()
	defer g.gate.Unlock()
	return g.ear.hear(tell)
}

// TestSpanOverflow lets more happen on two filesystems than the queue holds.
func TestSpanOverflow(t *testing.T) {
	const files = 9000 // on each; the queue holds 16,384 events
	t.Parallel()
	needsRoot(t)
	r := newRig(t, memory(t), Fanotify)
	r.cross = true
	for _, name := range []string{"a", "b"} {
		r.mount(name, "tmpfs", "size=8m")
		r.write(name+"/d/f", "some")
	}
	var gate sync.Mutex
	r.wrap = func(e ear) ear { return &gated{e, &gate} }
	r.open()
	r.follow()
	gate.Lock()
	for i := range files {
		for _, name := range []string{"a", "b"} {
			if err := os.WriteFile(r.path(fmt.Sprintf("%s/d/%d", name, i)), nil, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	r.write("b/d/f", "other") // behind what the queue holds
	r.write("b/late/f", "new")
	gate.Unlock()
	_, all := r.follow()
	for tries := 0; all == 0 && tries < 100; tries++ { // it is told right after the events
		_, all = r.follow()
	}
	if all == 0 {
		t.Error("no look at everything")
	}
	r.complete()
	for _, name := range []string{"a/d/f", "b/d/f", "b/late/f"} {
		r.noticed("write after an overflow", false, func() error { return os.WriteFile(r.path(name), []byte("again"), 0o644) })
	}
}

// TestSpanStorm is TestStorm in a tree that goes on in other filesystems, which move
// and go away with the directories that they are mounted in.
func TestSpanStorm(t *testing.T) {
	seed := *stormSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	for _, kind := range []string{Fanotify, Inotify} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			t.Logf("replay with -storm.seed=%d", seed)
			s := &storm{rig: spread(t, kind), rng: rand.New(rand.NewPCG(seed, 1))}
			s.mount("d0/d1", "tmpfs", "size=8m")
			s.run(*stormSteps)
		})
	}
}
