package mirror

import (
	"context"
	"fmt"

	"github.com/gsyncd/gsyncd-host/host/crawl"
	"github.com/gsyncd/gsyncd-host/host/marker"
	"github.com/gsyncd/gsyncd-host/sdk"
)

// doubts are directories that changed after the pass had looked at them, and that the
// secondary gets as they are now. That is right, and their marks are true: the next
// pass finds the change and stamps it. But should the primary lose power before, and go
// back to what the pass found, nothing would be stamped, and the secondary would keep
// what the primary lost. So the index is told, before a mark vouches for it.
type doubts struct {
	ids []sdk.FileID
	// atOnce says that the mark of one of them holds as it is: the index is to be told
	// before anything is changed.
	atOnce bool
}

func (d *doubts) add(id sdk.FileID, atOnce bool) {
	d.ids = append(d.ids, id)
	d.atOnce = d.atOnce || atOnce
}

// doubt notes that n is not as the pass found it. The lock is held.
func (t *turn) doubt(n *node) {
	if !n.doubted {
		n.doubted = true
		t.doubts.add(n.id, n.held())
	}
}

// doubtUnless is doubt for an entry of n, or n itself, that was looked at once more
// after it was listed. The lock is held.
func (t *turn) doubtUnless(n *node, listed, later *sdk.Entry) {
	if !marker.Alike(listed, later) {
		t.doubt(n)
	}
}

// doubtHeld is doubt for a directory that is not entered, and gets an attribute. There
// is no listing to hold against the pass, so its change time decides.
func (t *turn) doubtHeld(dir *sdk.Entry) {
	if crawl.Changed(dir).Compare(t.since) >= 0 {
		t.mu.Lock()
		t.doubts.add(dir.ID, true)
		t.mu.Unlock()
	}
}

// tellDoubts has the index know, durably, what is in doubt by now.
func (t *turn) tellDoubts() error {
	t.telling.Lock() // what somebody else is telling is not durable yet
	defer t.telling.Unlock()
	t.mu.Lock()
	d := t.doubts
	t.doubts = doubts{}
	t.mu.Unlock()
	if len(d.ids) == 0 {
		return nil
	}
	if err := t.Marker.Doubt(d.ids); err != nil {
		t.mu.Lock()
		t.doubts.ids = append(d.ids, t.doubts.ids...)
		t.doubts.atOnce = t.doubts.atOnce || d.atOnce
		t.mu.Unlock()
		return fmt.Errorf("note what changed since the look: %w", err)
	}
	return nil
}

// apply does operations on the secondary as [Mirror.apply] does.
func (t *turn) apply(ctx context.Context, ops []sdk.Op) ([]sdk.OpResult, error) {
	t.mu.Lock()
	atOnce := t.doubts.atOnce
	t.mu.Unlock()
	if atOnce && len(ops) > 0 {
		if err := t.tellDoubts(); err != nil {
			return nil, err
		}
	}
	return t.Mirror.apply(ctx, ops)
}
