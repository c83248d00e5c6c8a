package localtree

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/gsyncd/gsyncd-host/sdk"
)

const (
	blockRows   = 256 // rows handed over at once
	queueBlocks = 2   // blocks of a directory that wait for their turn
	aheadOfJob  = 4   // directories begun ahead of the sink, for each job
)

// block is some rows of one directory. With begin the first is its own entry.
type block struct {
	rows  []sdk.Entry
	begin bool
	end   bool
	err   *sdk.Error
}

// queue takes the rows of one directory until the sink wants them.
type queue struct {
	ctx  context.Context
	out  chan *block
	free chan *block
	cur  *block
}

var _ sdk.ScanSink = (*queue)(nil)

func (q *queue) block() *block {
	if q.cur == nil {
		select {
		case q.cur = <-q.free:
		default:
			q.cur = &block{rows: make([]sdk.Entry, 0, blockRows)}
		}
	}
	return q.cur
}

func (q *queue) flush() error {
	select {
	case q.out <- q.cur:
		q.cur = nil
		return nil
	case <-q.ctx.Done():
		return q.ctx.Err()
	}
}

func (q *queue) BeginDir(_ int, self *sdk.Entry) error {
	b := q.block()
	b.begin = true
	b.rows = append(b.rows, *self)
	return nil
}

func (q *queue) Entry(e *sdk.Entry) error {
	b := q.block()
	b.rows = append(b.rows, *e)
	if len(b.rows) < blockRows {
		return nil
	}
	return q.flush()
}

func (q *queue) EndDir(_ int, err *sdk.Error) error {
	b := q.block()
	b.end, b.err = true, err
	return q.flush()
}

// scanParallel lists several directories at once and hands their rows on in the
// order of the request. Directories are begun in that order and no more than a
// few ahead of the sink, each with a short queue: memory does not grow with
// the request, and the directory that the sink waits for is always in work.
func (t *tree) scanParallel(ctx context.Context, req sdk.ScanRequest, sink sdk.ScanSink) error {
	jobs := min(t.set.Jobs, len(req.Dirs))
	ahead := jobs * aheadOfJob
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()

	tokens := make(chan struct{}, ahead)
	free := make(chan *block, ahead)
	queues := make([]chan *block, ahead)
	for i := range queues {
		queues[i] = make(chan *block, queueBlocks)
	}
	var next atomic.Int64
	for range jobs {
		wg.Go(func() {
			for {
				select {
				case tokens <- struct{}{}:
				case <-ctx.Done():
					return
				}
				i := int(next.Add(1) - 1)
				if i >= len(req.Dirs) {
					return
				}
				q := &queue{ctx: ctx, out: queues[i%ahead], free: free}
				if t.list(ctx, i, req.Dirs[i], req.Fields, q) != nil {
					return // the context is over: nothing else fails here
				}
			}
		})
	}
	for i := range req.Dirs {
		if err := drain(ctx, i, queues[i%ahead], free, sink); err != nil {
			return err
		}
		<-tokens
	}
	return nil
}

func drain(ctx context.Context, i int, in <-chan *block, free chan<- *block, sink sdk.ScanSink) error {
	for {
		var b *block
		select {
		case b = <-in:
		case <-ctx.Done():
			return ctx.Err()
		}
		if err := b.send(i, sink); err != nil {
			return err
		}
		if b.end {
			if err := sink.EndDir(i, b.err); err != nil {
				return err
			}
		}
		last := b.end
		clear(b.rows)
		*b = block{rows: b.rows[:0]}
		select {
		case free <- b:
		default:
		}
		if last {
			return ctx.Err()
		}
	}
}

func (b *block) send(i int, sink sdk.ScanSink) error {
	rows := b.rows
	if b.begin {
		if err := sink.BeginDir(i, &rows[0]); err != nil {
			return err
		}
		rows = rows[1:]
	}
	for k := range rows {
		if err := sink.Entry(&rows[k]); err != nil {
			return err
		}
	}
	return nil
}
