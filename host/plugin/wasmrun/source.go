package wasmrun

import (
	"context"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// source is a source in a guest.
type source struct{ pool[sdk.Source] }

var _ sdk.Source = (*source)(nil)

// Identity implements [sdk.Resource].
func (s *source) Identity(ctx context.Context) (sdk.Identity, error) {
	return one(ctx, &s.pool, func(r sdk.Source) (sdk.Identity, error) { return r.Identity(ctx) })
}

// Beacon implements [sdk.Source].
func (s *source) Beacon(ctx context.Context) (sdk.Beacon, error) {
	return one(ctx, &s.pool, func(r sdk.Source) (sdk.Beacon, error) { return r.Beacon(ctx) })
}

// Stat implements [sdk.Resource].
func (s *source) Stat(ctx context.Context, paths []sdk.Path, fields sdk.Fields) ([]sdk.Entry, error) {
	return one(ctx, &s.pool, func(r sdk.Source) ([]sdk.Entry, error) { return r.Stat(ctx, paths, fields) })
}

// Scan implements [sdk.Resource].
func (s *source) Scan(ctx context.Context, req sdk.ScanRequest, sink sdk.ScanSink) error {
	return scan(ctx, &s.pool, req, sink)
}

// Read implements [sdk.Source]. A file at which the guest fails is one that cannot
// be read; a new instance goes on behind it.
func (s *source) Read(ctx context.Context, paths []sdk.Path, sink sdk.ReadSink) error {
	return goOn(ctx, &s.pool, len(paths), func(r sdk.Source, first, end int) (int, bool, error) {
		at := &readPlace{sink: sink, base: first}
		err := r.Read(ctx, paths[first:end], at)
		return first + at.next, at.open, err
	}, func(i int, fault *sdk.Error) error { return sink.EndFile(i, nil, fault) })
}

// readPlace notes how far a read has come.
type readPlace struct {
	sink sdk.ReadSink
	base int
	next int // the file that is open or comes next
	open bool
}

// BeginFile implements [sdk.ReadSink].
func (p *readPlace) BeginFile(i int, before *sdk.Entry) error {
	p.open = true
	return p.sink.BeginFile(p.base+i, before)
}

// Data implements [sdk.ReadSink].
func (p *readPlace) Data(off int64, b []byte) error { return p.sink.Data(off, b) }

// EndFile implements [sdk.ReadSink].
func (p *readPlace) EndFile(i int, after *sdk.Entry, err *sdk.Error) error {
	p.next, p.open = i+1, false
	return p.sink.EndFile(p.base+i, after, err)
}

// scan lists directories. One at which the guest fails is listed incompletely; a new
// instance goes on behind it.
func scan[R sdk.Resource](ctx context.Context, p *pool[R], req sdk.ScanRequest, sink sdk.ScanSink) error {
	return goOn(ctx, p, len(req.Dirs), func(r R, first, end int) (int, bool, error) {
		at := &scanPlace{sink: sink, base: first}
		err := r.Scan(ctx, sdk.ScanRequest{Dirs: req.Dirs[first:end], Fields: req.Fields}, at)
		return first + at.next, at.open, err
	}, func(i int, fault *sdk.Error) error { return sink.EndDir(i, fault) })
}

// scanPlace notes how far a scan has come.
type scanPlace struct {
	sink sdk.ScanSink
	base int
	next int // the directory that is open or comes next
	open bool
}

// BeginDir implements [sdk.ScanSink].
func (p *scanPlace) BeginDir(i int, self *sdk.Entry) error {
	p.open = true
	return p.sink.BeginDir(p.base+i, self)
}

// Entry implements [sdk.ScanSink].
func (p *scanPlace) Entry(e *sdk.Entry) error { return p.sink.Entry(e) }

// EndDir implements [sdk.ScanSink].
func (p *scanPlace) EndDir(i int, err *sdk.Error) error {
	p.next, p.open = i+1, false
	return p.sink.EndDir(p.base+i, err)
}

const (
	// maxFaults is how often a guest may fail in one call, each time at another
	// thing, before the call as a whole fails; a time that it did not answer counts
	// for several.
	maxFaults  = 16
	lateFaults = 8
)

// goOn makes a call about a list of things. Where the guest fails, what it had
// gathered is lost, and nobody knows at which thing it was, unless one is half done.
// So the call is made again for one thing at a time, until it fails at a single one;
// that one has failed, and the rest goes on as before.
//
// call is made for the things from first to end; it tells how far it has come, and
// whether the next one is half done.
func goOn[R sdk.Resource](ctx context.Context, p *pool[R], n int, call func(r R, first, end int) (next int, open bool, err error), failed func(i int, fault *sdk.Error) error) error {
	faults, single := 0, false
	for first := 0; first < n; {
		at, done, err := p.take(ctx)
		if err != nil {
			return err
		}
		end := n
		if single {
			end = first + 1
		}
		next, open, err := call(at.resource, first, end)
		done()
		if err == nil {
			first = end
			continue
		}
		at.in.judge(err)
		fault := at.in.fault()
		if fault == nil || ctx.Err() != nil || fault.Kind == sdk.KindGone || next >= n {
			return err
		}
		if first = next; !open && !single {
			single = true
			continue
		}
		if faults++; fault.Kind == sdk.KindTransient {
			faults += lateFaults - 1
		}
		if faults > maxFaults {
			return err
		}
		p.engine.log.Warn("guest failed and was started anew", "error", fault)
		if err := failed(next, fault); err != nil {
			return err
		}
		first, single = next+1, false
	}
	return nil
}
