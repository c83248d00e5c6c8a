package watch

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// beat has the filesystem asked at once, and looks where that leads. Where the disk is so
// slow that a pass overtakes it, it is asked again. An answer that is under way already is
// of before.
func (r *rig) beat() {
	r.t.Helper()
	for r.d.past.committing {
		r.follow()
	}
	for tries, again := 0, true; again && tries < 10; tries++ {
		// Not by Next, which gives up an answer when its time is over.
		for r.d.past.next, r.d.past.ended = (time.Time{}), (time.Time{}); r.d.past.ended.IsZero(); {
			r.d.recall(r.t.Context())
			<-time.After(time.Millisecond)
		}
		r.d.mu.Lock()
		r.d.beat = time.Now()
		r.d.mu.Unlock()
		r.follow()
		r.d.mu.Lock()
		again = r.d.newer && !r.d.past.lacks
		r.d.mu.Unlock()
	}
}

// resume begins once more, and fails the test unless that led to some directories
// at most, and to all that is to be found.
func (r *rig) resume(most int64) {
	r.t.Helper()
	p := r.open()
	if r.first.All || r.first.Since == "" || p.Swept || p.Dirs > most {
		r.t.Errorf("the first look: all %v, swept %v, %d directories, %d of them told", r.first.All, p.Swept, p.Dirs, len(r.first.Dirs))
	}
	r.follow()
	r.complete()
}

// newHistoryRig is a tree of some directories on a btrfs, with a point that was kept
// after all of it was looked at.
func newHistoryRig(t *testing.T, base string) *rig {
	t.Helper()
	r := newRig(t, base, Btrfs)
	for i := range 50 {
		r.write(fmt.Sprintf("d%d/f", i), "some")
		r.write(fmt.Sprintf("d%d/e/f", i), "some")
	}
	if err := os.Link(r.path("d0/f"), r.path("d1/linked")); err != nil {
		t.Fatal(err)
	}
	r.open()
	if !r.first.All || r.first.Until == "" {
		t.Fatalf("the first hint of all: %+v", r.first)
	}
	r.follow()
	r.beat()
	if got := r.index.Point(); got != r.d.past.given || got == r.first.Until {
		t.Fatal("no point was kept after the first look")
	}
	return r
}

func (r *rig) idOf(name string) sdk.FileID {
	r.t.Helper()
	d, err := r.d.root.OpenPath(sdk.Path(name))
	if err != nil {
		r.t.Fatal(err)
	}
	defer d.Close()
	self, err := d.Stat()
	if err != nil {
		r.t.Fatal(err)
	}
	return self.ID
}
