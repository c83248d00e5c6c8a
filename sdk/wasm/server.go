package wasm

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/wire"
)

// Server answers calls on things that are open. Calls may be concurrent, but not
// two on one stream or writer.
type Server struct {
	life context.Context
	end  context.CancelFunc

	mu   sync.Mutex
	last uint32
	open map[uint32]*held
}

// held is an open thing: exactly one of its parts is set.
type held struct {
	source   sdk.Source
	target   sdk.Target
	stream   *stream
	writer   *writing
	other    any // what the owner of the server holds
	close    func() error
	resource uint32 // on which a stream or writer works
}

// NewServer returns a server. What is open ends with life, but is only given back
// by Close.
func NewServer(life context.Context) *Server {
	s := &Server{open: map[uint32]*held{}}
	s.life, s.end = context.WithCancel(life)
	return s
}

func badHandle(op string) error {
	return &sdk.Error{Kind: sdk.KindGone, Op: op, Msg: "no such thing is open"}
}

func badInput(op string, err error) *sdk.Error {
	return &sdk.Error{Kind: sdk.KindInput, Op: op, Msg: err.Error()}
}

func (s *Server) add(h *held) (uint32, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.life.Err() != nil || len(s.open) >= MaxHandles {
		return 0, errors.Join(&sdk.Error{Kind: sdk.KindInput, Op: "open", Msg: "too many things are open"}, h.close())
	}
	for s.last++; s.last == 0 || s.open[s.last] != nil; s.last++ {
	}
	s.open[s.last] = h
	return s.last, nil
}

func (s *Server) find(id uint32) *held {
	s.mu.Lock()
	defer s.mu.Unlock()
	if h := s.open[id]; h != nil {
		return h
	}
	return &held{}
}

// Life is the context in which what is open works. It ends with Close.
func (s *Server) Life() context.Context { return s.life }

// Hold keeps something of the owner's, and gives it a handle. If it cannot, it is
// closed.
func (s *Server) Hold(thing any, close func() error) (uint32, error) {
	return s.add(&held{other: thing, close: close})
}

// Held returns what Hold keeps under a handle, or nil.
func (s *Server) Held(id uint32) any { return s.find(id).other }

// HoldSource keeps a source and appends its handle and what it found to b.
func (s *Server) HoldSource(b []byte, src sdk.Source) ([]byte, error) {
	id, err := s.add(&held{source: src, close: src.Close})
	if err != nil {
		return b, err
	}
	return wire.AppendInfo(appendHandle(b, id), src.Info()), nil
}

// HoldTarget keeps a target and appends its handle and what it found to b. Lists of
// operations with OpSync can be sent to it in any case.
func (s *Server) HoldTarget(b []byte, t sdk.Target) ([]byte, error) {
	id, err := s.add(&held{target: t, close: t.Close})
	if err != nil {
		return b, err
	}
	info := t.Info()
	info.Features |= sdk.SyncsInLists
	return wire.AppendInfo(appendHandle(b, id), info), nil
}

// HoldStream runs something whose answer may be long, and appends the beginning of
// it to b.
func (s *Server) HoldStream(ctx context.Context, b []byte, run func(ctx context.Context, emit func(piece []byte) error) error) ([]byte, error) {
	return s.startStream(ctx, b, 0, func(ctx context.Context, out emit) error { return run(ctx, out) })
}

// startStream appends the first piece of a stream to b, and a handle for the rest.
func (s *Server) startStream(ctx context.Context, b []byte, resource uint32, run func(context.Context, emit) error) ([]byte, error) {
	st := newStream(s.life, run)
	id, err := s.add(&held{stream: st, resource: resource, close: func() error { st.close(); return nil }})
	if err != nil {
		return b, err
	}
	return s.next(ctx, b, id, st)
}

func (s *Server) next(ctx context.Context, b []byte, id uint32, st *stream) ([]byte, error) {
	at := len(b)
	b, more, err := st.next(ctx, appendHandle(b, id))
	if more {
		return b, nil
	}
	if err == nil {
		appendHandle(b[:at], 0)
	}
	return b, errors.Join(err, s.close(id))
}

// close gives back one thing and, of a resource, the streams and writers on it. One
// that is not there is closed already.
func (s *Server) close(id uint32) error {
	s.mu.Lock()
	h := s.open[id]
	var on []uint32
	if h != nil && (h.source != nil || h.target != nil) {
		for other, o := range s.open {
			if o.resource == id {
				on = append(on, other)
			}
		}
	}
	delete(s.open, id)
	s.mu.Unlock()
	if h == nil {
		return nil
	}
	for _, other := range on {
		_ = s.close(other)
	}
	return h.close()
}

// Close gives back all that is open.
func (s *Server) Close() error {
	s.end()
	s.mu.Lock()
	var ids []uint32
	for id := range s.open {
		ids = append(ids, id)
	}
	s.mu.Unlock()
	slices.Sort(ids)
	var errs []error
	for _, id := range ids {
		errs = append(errs, s.close(id))
	}
	return errors.Join(errs...)
}

// Serve answers a call on something that is open, appending to b. known is false if
// the method is none of these.
func (s *Server) Serve(ctx context.Context, b []byte, m Method, request []byte) (answer []byte, known bool, err error) {
	if m < Close || m > Sync {
		return b, false, nil
	}
	c := wire.NewCursor(request)
	id := c.U32()
	h := s.find(id)
	switch m {
	case Close:
		if err := c.Done(); err != nil {
			return b, true, badInput("close", err)
		}
		return b, true, s.close(id)
	case Next:
		if h.stream == nil {
			return b, true, badHandle("next")
		}
		answer, err = s.next(ctx, b, id, h.stream)
	case Identity, Beacon, Sync:
		answer, err = h.simple(ctx, b, m)
	case Scan, Stat, Read:
		answer, err = s.list(ctx, b, m, id, h, c)
	case Apply:
		answer, err = h.apply(ctx, b, c)
	case Write:
		answer, err = s.write(b, id, h)
	case Put, Finish:
		answer, err = s.put(ctx, b, m, id, h, c)
	}
	return answer, true, err
}

func noSource(op string) error {
	return &sdk.Error{Kind: sdk.KindUnsupported, Op: op, Msg: "not open as a primary"}
}

func noTarget(op string) error {
	return &sdk.Error{Kind: sdk.KindUnsupported, Op: op, Msg: "not open as a secondary"}
}

func (h *held) resourceOf(op string) (sdk.Resource, error) {
	switch {
	case h.source != nil:
		return h.source, nil
	case h.target != nil:
		return h.target, nil
	}
	return nil, badHandle(op)
}

func (h *held) simple(ctx context.Context, b []byte, m Method) ([]byte, error) {
	switch m {
	case Identity:
		r, err := h.resourceOf("identify")
		if err != nil {
			return b, err
		}
		id, err := r.Identity(ctx)
		return wire.AppendIdentity(b, id), err
	case Beacon:
		if h.source == nil {
			return b, noSource("read clock")
		}
		x, err := h.source.Beacon(ctx)
		return wire.AppendBeacon(b, x), err
	}
	if h.target == nil {
		return b, noTarget("sync")
	}
	return b, h.target.Sync(ctx)
}

func (h *held) apply(ctx context.Context, b []byte, c *wire.Cursor) ([]byte, error) {
	if h.target == nil {
		return b, noTarget("apply")
	}
	ops, err := c.Ops()
	if err != nil {
		return b, badInput("apply", err)
	}
	results, err := sdk.ApplyAll(ctx, h.target, ops)
	if err == nil && len(results) != len(ops) {
		err = fmt.Errorf("%d results for %d operations", len(results), len(ops))
	}
	if err != nil {
		return b, err
	}
	for i, r := range results {
		// The other side knows the operation's own path, and paths may be long.
		if r.Err != nil && r.Err.Path == ops[i].Path {
			own := *r.Err
			own.Path = ""
			r.Err = &own
		}
		b = wire.AppendResult(b, r)
	}
	return b, nil
}
