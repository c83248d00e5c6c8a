package mirror_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gsyncd/gsyncd-host/host/marker"
	"github.com/gsyncd/gsyncd-host/host/report"
	"github.com/gsyncd/gsyncd-host/host/watch"
	"github.com/gsyncd/gsyncd-host/sdk"
)

// TestClockSetBack sets the wall clock back, again and again, while a mirror runs
// and between two runs. Changes arrive as ever, xtimes only grow, and a start sends
// nothing that was there.
func TestClockSetBack(t *testing.T) {
	r := newRigAt(t, memoryDir(t))
	r.events = watch.Inotify
	var back atomic.Int64 // hours
	r.wall = func() time.Time { return time.Now().Add(-time.Duration(back.Load()) * time.Hour) }
	r.ended = func(index *marker.Marker, src sdk.Source) {
		if _, err := index.Refresh(context.Background(), src, marker.Hint{All: true}); err != nil {
			t.Errorf("look at the primary: %v", err)
			return
		}
		r.honest(index, src)
	}
	r.sh("mkdir -p a/b c; echo 0 >a/b/f; echo 0 >c/g")
	was, _ := markOf(r.secondary)
	for run := range 3 {
		ctx, end := r.follow()
		if sent := r.running.Load().Snapshot().Done.Files; run > 0 && sent > 0 {
			t.Errorf("start %d sent %d files", run, sent)
		}
		for change := range 3 {
			back.Add(24)
			r.sh(fmt.Sprintf("echo %d.%d >a/b/f", run, change))
			r.same(ctx, fmt.Sprintf("change %d of run %d", change, run))
			is := was
			r.await(ctx, func(report.Snapshot) bool { // the mark comes last
				var ok bool
				is, ok = markOf(r.secondary)
				return ok && !is.XTime.IsZero() && is.XTime != was.XTime
			})
			if run+change > 0 && (is.XTime.Epoch != was.XTime.Epoch || is.XTime.Seq < was.XTime.Seq) {
				t.Errorf("change %d of run %d: the root's xtime went from %v to %v", change, run, was.XTime, is.XTime)
			}
			was = is
		}
		end()
	}
}
