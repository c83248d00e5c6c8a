package wasm

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/wire"
)

// resource is something that is open at the other side.
type resource struct {
	caller Caller
	id     uint32
	info   sdk.Info

	closing sync.Once
	closed  error
}

// Opened takes the answer of a call that opened a resource.
func opened(caller Caller, answer []byte) (*resource, error) {
	c := wire.NewCursor(answer)
	r := &resource{caller: caller, id: c.U32()}
	var err error
	if r.info, err = wire.DecodeInfo(c.Rest()); err != nil || r.id == 0 {
		return nil, malformed("open", fmt.Errorf("resource %d: %w", r.id, err))
	}
	return r, nil
}

// OpenSource makes a call that opens a source at the other side.
func OpenSource(ctx context.Context, caller Caller, m Method, request []byte) (sdk.Source, error) {
	var r *resource
	err := caller.Call(ctx, m, request, func(answer []byte) (err error) {
		r, err = opened(caller, answer)
		return err
	})
	if err != nil {
		return nil, err
	}
	r.info.Features &^= sdk.SyncsInLists
	return &source{r}, nil
}

// OpenTarget makes a call that opens a target at the other side.
func OpenTarget(ctx context.Context, caller Caller, m Method, request []byte) (sdk.Target, error) {
	var r *resource
	err := caller.Call(ctx, m, request, func(answer []byte) (err error) {
		r, err = opened(caller, answer)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &target{r}, nil
}

func (r *resource) request() []byte { return appendHandle(nil, r.id) }

// Info implements [sdk.Resource].
func (r *resource) Info() sdk.Info { return r.info }

// Identity implements [sdk.Resource].
func (r *resource) Identity(ctx context.Context) (id sdk.Identity, err error) {
	err = r.caller.Call(ctx, Identity, r.request(), func(answer []byte) error {
		if id, err = wire.DecodeIdentity(answer); err != nil {
			return malformed("identify", err)
		}
		return nil
	})
	return id, err
}

// Pull makes a call that is answered by a stream, and feeds its pieces to feed. A
// [*wire.SinkError] of feed is its caller's own error; any other says that the
// piece is malformed.
func Pull(ctx context.Context, caller Caller, op string, m Method, request []byte, feed func(piece []byte) error) error {
	var more uint32
	use := func(answer []byte) error {
		c := wire.NewCursor(answer)
		if more = c.U32(); len(answer) < 4 {
			return malformed(op, errors.New("no handle"))
		}
		err := feed(c.Rest())
		var own *wire.SinkError
		switch {
		case err == nil:
			return nil
		case errors.As(err, &own):
			return own.Err
		}
		return malformed(op, err)
	}
	err := caller.Call(ctx, m, request, use)
	for err == nil && more != 0 {
		if err = ctx.Err(); err != nil {
			err = fmt.Errorf("%s: %w", op, err)
			break
		}
		err = caller.Call(ctx, Next, appendHandle(nil, more), use)
	}
	if err != nil && more != 0 {
		// Closing what is closed already does no harm.
		_ = caller.Call(context.WithoutCancel(ctx), Close, appendHandle(nil, more), nil)
	}
	return err
}

func (r *resource) paths(fields sdk.Fields, paths []sdk.Path) ([]byte, error) {
	return wire.AppendPaths(r.request(), fields, paths)
}

// Scan implements [sdk.Resource].
func (r *resource) Scan(ctx context.Context, req sdk.ScanRequest, sink sdk.ScanSink) error {
	return wire.Split(req.Dirs, wire.PathSize, func(first int, dirs []sdk.Path) error {
		request, err := r.paths(req.Fields, dirs)
		if err != nil {
			return badInput("scan", err)
		}
		dec := wire.NewScanDecoder(len(dirs), first, sink)
		if err := Pull(ctx, r.caller, "scan", Scan, request, dec.Feed); err != nil {
			return err
		}
		if err := dec.Finish(); err != nil {
			return malformed("scan", err)
		}
		return nil
	})
}

// Stat implements [sdk.Resource].
func (r *resource) Stat(ctx context.Context, paths []sdk.Path, fields sdk.Fields) ([]sdk.Entry, error) {
	out := make([]sdk.Entry, 0, len(paths))
	err := wire.Split(paths, wire.PathSize, func(first int, part []sdk.Path) error {
		request, err := r.paths(fields, part)
		if err != nil {
			return badInput("stat", err)
		}
		err = Pull(ctx, r.caller, "stat", Stat, request, func(rows []byte) error {
			return EachRow(rows, func(e *sdk.Entry) error {
				if len(out) == first+len(part) {
					return fmt.Errorf("more than %d entries", len(part))
				}
				if want := paths[len(out)].Base(); e.Name != want {
					return fmt.Errorf("entry %q for %q", e.Name, want)
				}
				out = append(out, *e)
				return nil
			})
		})
		if err == nil && len(out) != first+len(part) {
			return malformed("stat", fmt.Errorf("%d entries for %d paths", len(out)-first, len(part)))
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// EachRow calls f with each of a piece's entries, which f may keep.
func EachRow(rows []byte, f func(*sdk.Entry) error) error {
	for len(rows) > 0 {
		var e sdk.Entry
		var err error
		if rows, err = wire.NextEntry(rows, &e); err == nil {
			err = f(&e)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Close implements [sdk.Resource]. Where the other side is gone it is closed.
func (r *resource) Close() error {
	r.closing.Do(func() {
		err := r.caller.Call(context.Background(), Close, r.request(), nil)
		if err != nil && sdk.KindOf(err) != sdk.KindGone {
			r.closed = err
		}
	})
	return r.closed
}

// source is a source at the other side.
type source struct{ *resource }

var _ sdk.Source = (*source)(nil)

// Beacon implements [sdk.Source].
func (s *source) Beacon(ctx context.Context) (x sdk.Beacon, err error) {
	err = s.caller.Call(ctx, Beacon, s.request(), func(answer []byte) error {
		if x, err = wire.DecodeBeacon(answer); err != nil {
			return malformed("read clock", err)
		}
		return nil
	})
	return x, err
}

// Read implements [sdk.Source].
func (s *source) Read(ctx context.Context, paths []sdk.Path, sink sdk.ReadSink) error {
	return wire.Split(paths, wire.PathSize, func(first int, part []sdk.Path) error {
		request, err := s.paths(0, part)
		if err != nil {
			return badInput("read", err)
		}
		dec := wire.NewReadDecoder(len(part), first, sink)
		if err := Pull(ctx, s.caller, "read", Read, request, dec.Feed); err != nil {
			return err
		}
		if err := dec.Finish(); err != nil {
			return malformed("read", err)
		}
		return nil
	})
}
