package agent

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// recountAfter is how often a tree is counted again at the most.
const recountAfter = time.Minute

// quota bounds the bytes of a tree. The tree is counted before the first file;
// then files are added as they begin. Nothing is taken off again, as the client
// could have given the file another name meanwhile: when the limit is reached
// the tree is counted anew. Its methods may be called concurrently.
type quota struct {
	max   int64
	clock func() time.Time
	count func(context.Context) (int64, error)

	mu      sync.Mutex
	counted time.Time // zero: never
	known   int64     // bytes, with those of the files being written
	open    int64     // bytes of files being written
}

// take makes room for a file of n bytes, which are open until written.
func (q *quota) take(ctx context.Context, n int64) *sdk.Error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.counted.IsZero() || n > q.max-q.known && q.clock().Sub(q.counted) >= recountAfter {
		have, err := q.count(ctx)
		if err != nil {
			out := sdk.NewError("count the tree", "", err)
			out.Msg = "its size is limited on the far side (--max-bytes) and could not be found out: " + err.Error()
			return out
		}
		q.known, q.counted = have+q.open, q.clock()
	}
	if n > q.max-q.known {
		return &sdk.Error{Kind: sdk.KindNoSpace, Op: "write",
			Msg: fmt.Sprintf("the far side lets this key fill %d bytes (--max-bytes); %d are taken, and the file has %d", q.max, q.known, n)}
	}
	q.known += n
	q.open += n
	return nil
}

// written ends the writing of n bytes.
func (q *quota) written(n int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.open -= n
}

// countDirs is how many directories are listed at once.
const countDirs = 128

// treeBytes adds up the sizes of a tree's regular files.
func treeBytes(ctx context.Context, r sdk.Resource) (int64, error) {
	c := sizer{stack: []sdk.Path{sdk.Root}, seen: map[sdk.FileID]struct{}{}}
	for len(c.stack) > 0 {
		at := max(0, len(c.stack)-countDirs)
		c.dirs = append([]sdk.Path(nil), c.stack[at:]...)
		c.stack = c.stack[:at]
		if err := r.Scan(ctx, sdk.ScanRequest{Dirs: c.dirs}, &c); err != nil {
			return 0, err
		}
	}
	return c.bytes, nil
}

// sizer is a scan's sink that adds up and descends.
type sizer struct {
	stack, dirs []sdk.Path
	cur         int
	seen        map[sdk.FileID]struct{} // files with several names
	bytes       int64
}

var _ sdk.ScanSink = (*sizer)(nil)

// BeginDir implements [sdk.ScanSink].
func (c *sizer) BeginDir(i int, _ *sdk.Entry) error { c.cur = i; return nil }

// EndDir implements [sdk.ScanSink]. What cannot be seen could hold anything.
func (c *sizer) EndDir(_ int, err *sdk.Error) error {
	if err == nil || err.Kind == sdk.KindNotExist {
		return nil
	}
	return err
}

// Entry implements [sdk.ScanSink].
func (c *sizer) Entry(e *sdk.Entry) error {
	switch {
	case e.Type == sdk.TypeUnknown && e.Err.Kind != sdk.KindNotExist:
		return e.Err
	case e.Type == sdk.TypeDir && !e.Mount:
		c.stack = append(c.stack, c.dirs[c.cur].Join(e.Name))
	case e.Type == sdk.TypeRegular:
		if e.Nlink > 1 {
			if _, ok := c.seen[e.ID]; ok {
				return nil
			}
			c.seen[e.ID] = struct{}{}
		}
		c.bytes += e.Size
	}
	return nil
}
