package mirror

import (
	"context"
	"fmt"
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
		sink := &rowSink{ctx: ctx, out: rs.batches, dirs: len(req.Dirs)}
		err := r.Scan(ctx, req, sink)
		if err == nil {
			err = sink.flush()
		}
		rs.err = err
		close(rs.batches)
	}()
	return rs
}

// noRows is the listing of one directory in which there is nothing.
func noRows(self sdk.Entry) *rows {
	rs := &rows{batches: make(chan []row), stop: func() {}, cur: []row{{kind: rowBegin, entry: self}, {kind: rowEnd}}}
	close(rs.batches)
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

// cut reports whether directory i's listing broke off after the entries that were
// given so far: what was not among them may exist.
func (r *rows) cut(i int) bool {
	next := r.peek()
	return next == nil || next.kind == rowEnd && next.dir == i && next.err != nil
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
	dirs  int // asked for
	dir   int // the open directory, or the next to be opened
	open  bool
	last  string // the last name in it
}

var _ sdk.ScanSink = (*rowSink)(nil)

// BeginDir and the others hold a driver to the contract: the comparison of two
// listings rests on their order, and a name is part of paths.
func (s *rowSink) BeginDir(i int, self *sdk.Entry) error {
	if s.open || i != s.dir || i >= s.dirs || self.Type != sdk.TypeDir {
		return fmt.Errorf("the driver opened directory %d of %d (a %s) where %d belongs", i, s.dirs, self.Type, s.dir)
	}
	s.open, s.last = true, ""
	return s.add(row{kind: rowBegin, dir: i, entry: own(self)})
}

func (s *rowSink) Entry(e *sdk.Entry) error {
	if !s.open || e.Name == "." || e.Name <= s.last {
		return fmt.Errorf("the driver sent entry %q after %q", e.Name, s.last)
	}
	if err := e.Validate(); err != nil {
		return fmt.Errorf("the driver sent a malformed entry: %w", err)
	}
	row := row{kind: rowEntry, dir: s.dir, entry: own(e)}
	s.last = row.entry.Name
	return s.add(row)
}

func (s *rowSink) EndDir(i int, err *sdk.Error) error {
	if i != s.dir || i >= s.dirs || !s.open && err == nil {
		return fmt.Errorf("the driver closed directory %d of %d where %d belongs", i, s.dirs, s.dir)
	}
	s.open = false
	s.dir++
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
