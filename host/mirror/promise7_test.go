package mirror_test

import (
	"sync/atomic"
	"testing"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// TestPromise7CostFollowsChange: of a thousand directories with one changed file
// only those on its way are listed on the secondary, in a handful of calls.
func TestPromise7CostFollowsChange(t *testing.T) {
	r := newRigAt(t, memoryDir(t))
	r.streamed = true
	r.sh("for i in 0 1 2 3 4 5 6 7 8 9; do for j in 0 1 2 3 4 5 6 7 8 9; do mkdir -p $i/$j; for k in 0 1 2 3 4 5 6 7 8 9; do mkdir $i/$j/$k; echo x >$i/$j/$k/f; done; done; done")
	r.sync()
	var calls, listed, rows, ops atomic.Int64
	r.wrapTarget = func(t sdk.Target) sdk.Target {
		return hookTarget{t, &hooks{
			scan: func(req sdk.ScanRequest, sink sdk.ScanSink, next func(sdk.ScanRequest, sdk.ScanSink) error) error {
				calls.Add(1)
				listed.Add(int64(len(req.Dirs)))
				return next(req, &countingSink{sink, &rows})
			},
			stat: func(_ []sdk.Path, _ sdk.Fields, next func() ([]sdk.Entry, error)) ([]sdk.Entry, error) {
				calls.Add(1)
				return next()
			},
			apply: func(o []sdk.Op, next func([]sdk.Op) ([]sdk.OpResult, error)) ([]sdk.OpResult, error) {
				calls.Add(1)
				ops.Add(int64(len(o)))
				return next(o)
			},
			write: func(next func() (sdk.Writer, error)) (sdk.Writer, error) {
				calls.Add(1)
				return next()
			},
		}}
	}
	r.sync()
	if calls.Load() > 2 || listed.Load() > 0 || ops.Load() > 0 {
		t.Errorf("nothing changed, but: %d calls, %d directories listed, %d operations", calls.Load(), listed.Load(), ops.Load())
	}
	calls.Store(0)
	r.write("4/2/7/f", "changed")
	s := r.sync()
	r.equal()
	// Twice at the most: the change may be too young for one turn.
	if s.Done.Files > 2 || listed.Load() > 2*4 || rows.Load() > 2*31 || ops.Load() > 2*12 || calls.Load() > 40 {
		t.Errorf("one file changed: %d files sent, %d directories listed with %d entries, %d operations, %d calls",
			s.Done.Files, listed.Load(), rows.Load(), ops.Load(), calls.Load())
	}
}

type countingSink struct {
	sdk.ScanSink
	rows *atomic.Int64
}

func (s *countingSink) Entry(e *sdk.Entry) error {
	s.rows.Add(1)
	return s.ScanSink.Entry(e)
}
