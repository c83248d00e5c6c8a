package mirror

import (
	"context"
	"slices"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// rows turns a Scan, which pushes, into something that two listings can be
// pulled from in lockstep. The scan runs ahead by a few batches at most, so a
// directory of any size passes through in little memory.
type rows struct {
	batches chan []row
	err     error // of the scan, once batches is closed
	stop    context.CancelFunc

	cur    []row
	pos    int
	broken error // the scan ended before all was listed
}

type rowKind uint8

const (
	rowBegin rowKind = iota
	rowEntry
	rowEnd
)

type row struct {
	kind  rowKind
	dir   int
	entry sdk.Entry
	err   *sdk.Error
}

const (
	rowBatch = 256
	rowAhead = 4
)

func scanRows(ctx context.Context, r sdk.Resource, req sdk.ScanRequest) *rows {
	ctx, stop := context.WithCancel(ctx)
	rs := &rows{batches: make(chan []row, rowAhead), stop: stop}
	go func() {
		sink := &rowSink{ctx: ctx, out: rs.batches}
		err := r.Scan(ctx, req, sink)
		if err == nil {
			err = sink.flush()
		}
		rs.err = err
		close(rs.batches)
	}()
	return rs
}

// close ends the scan; it may be called at any point, once.
func (r *rows) close() {
	r.stop()
	for range r.batches {
	}
}

// peek gives the next row, nil at the scan's end.
func (r *rows) peek() *row {
	for r.pos == len(r.cur) {
		batch, ok := <-r.batches
		if !ok {
			return nil
		}
		r.cur, r.pos = batch, 0
	}
	return &r.cur[r.pos]
}

// begin gives directory i's own entry, or nil if it could not be opened.
func (r *rows) begin(i int) *sdk.Entry {
	if next := r.peek(); next != nil && next.kind == rowBegin && next.dir == i {
		r.pos++
		return &next.entry
	}
	return nil
}

// entry gives directory i's next entry, or nil after the last.
func (r *rows) entry(i int) *sdk.Entry {
	if next := r.peek(); next != nil && next.kind == rowEntry && next.dir == i {
		r.pos++
		return &next.entry
	}
	return nil
}

// end drops what is left of directory i and says whether its listing is whole.
func (r *rows) end(i int) *sdk.Error {
	for {
		next := r.peek()
		if next == nil {
			if r.broken = r.err; r.broken == nil {
				r.broken = &sdk.Error{Kind: sdk.KindFatal, Op: "scan", Msg: "the listing ended early"}
			}
			return sdk.NewError("scan", "", r.broken)
		}
		r.pos++
		if next.kind == rowEnd && next.dir == i {
			return next.err
		}
	}
}

// skip drops directory i, whatever became of it. A nil r has nothing to drop.
func (r *rows) skip(i int) {
	if r != nil {
		_ = r.end(i)
	}
}

// rowSink gathers rows into batches.
type rowSink struct {
	ctx   context.Context
	out   chan<- []row
	batch []row
	dir   int // the open directory
}

var _ sdk.ScanSink = (*rowSink)(nil)

func (s *rowSink) BeginDir(i int, self *sdk.Entry) error {
	s.dir = i
	return s.add(row{kind: rowBegin, dir: i, entry: own(self)})
}

func (s *rowSink) Entry(e *sdk.Entry) error {
	return s.add(row{kind: rowEntry, dir: s.dir, entry: own(e)})
}

func (s *rowSink) EndDir(i int, err *sdk.Error) error {
	return s.add(row{kind: rowEnd, dir: i, err: err})
}

// own copies what belongs to the driver only during the call.
func own(e *sdk.Entry) sdk.Entry {
	out := *e
	out.Xattrs = slices.Clone(e.Xattrs)
	out.Mark = slices.Clone(e.Mark)
	return out
}

func (s *rowSink) add(r row) error {
	if len(s.batch) == cap(s.batch) {
		if err := s.flush(); err != nil {
			return err
		}
		s.batch = make([]row, 0, rowBatch)
	}
	s.batch = append(s.batch, r)
	return nil
}

func (s *rowSink) flush() error {
	if len(s.batch) == 0 {
		return nil
	}
	select {
	case s.out <- s.batch:
		s.batch = nil
		return nil
	case <-s.ctx.Done():
		return s.ctx.Err()
	}
}
