package process

import (
	"context"
	"sync"
	"sync/atomic"

	"google.golang.org/grpc/stats"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// session is what one connection has open. All of it is closed when the
// connection ends.
type session struct {
	mu   sync.Mutex
	open map[uint64]*held
	over bool
	runs sync.WaitGroup // transfers under way, which clean up before the end
}

// held is an open resource. Exactly one of source and target is set.
type held struct {
	resource sdk.Resource
	source   sdk.Source
	target   sdk.Target
	gone     context.Context // done when the resource is being closed
	close    context.CancelFunc
	calls    sync.WaitGroup
}

func errGone(op string) *sdk.Error {
	return &sdk.Error{Kind: sdk.KindGone, Op: op, Msg: "the resource is closed"}
}

// add keeps a resource under an id, which no other resource of the process has.
// After the end of the connection it is closed at once.
func (s *session) add(ids *atomic.Uint64, h *held) (uint64, error) {
	h.gone, h.close = context.WithCancel(context.Background())
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		h.close()
		_ = h.resource.Close()
		return 0, errGone("open")
	}
	id := ids.Add(1)
	if s.open == nil {
		s.open = map[uint64]*held{}
	}
	s.open[id] = h
	return id, nil
}

// use finds a resource for a call under ctx, which also ends when the resource
// is closed. The caller calls done when it no longer uses it.
func (s *session) use(ctx context.Context, id uint64) (h *held, call context.Context, done func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	h = s.open[id]
	if h == nil {
		return nil, nil, nil, errGone("find resource")
	}
	h.calls.Add(1)
	call, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(h.gone, cancel)
	return h, call, func() {
		stop()
		cancel()
		h.calls.Done()
	}, nil
}

// drop closes a resource once the calls that use it have returned. One that is
// not there is closed already.
func (s *session) drop(id uint64) error {
	s.mu.Lock()
	h := s.open[id]
	delete(s.open, id)
	s.mu.Unlock()
	if h == nil {
		return nil
	}
	h.close()
	h.calls.Wait()
	return h.resource.Close()
}

// run notes that a transfer begins; the caller calls done at its end.
func (s *session) run() (done func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return nil, errGone("transfer")
	}
	s.runs.Add(1)
	return s.runs.Done, nil
}

// end closes all, and waits until transfers, which the connection's end has
// cancelled, have cleaned up.
func (s *session) end() {
	s.mu.Lock()
	s.over = true
	ids := make([]uint64, 0, len(s.open))
	for id := range s.open {
		ids = append(ids, id)
	}
	s.mu.Unlock()
	for _, id := range ids {
		_ = s.drop(id)
	}
	s.runs.Wait()
}

// connWatcher gives every connection a session, and ends it with it.
type connWatcher struct{ ending *sync.WaitGroup }

var _ stats.Handler = connWatcher{}

type sessionKey struct{}

func sessionOf(ctx context.Context) *session {
	if s, ok := ctx.Value(sessionKey{}).(*session); ok {
		return s
	}
	return &session{over: true}
}

// TagConn implements [stats.Handler].
func (w connWatcher) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context {
	return context.WithValue(ctx, sessionKey{}, &session{})
}

// HandleConn implements [stats.Handler].
func (w connWatcher) HandleConn(ctx context.Context, s stats.ConnStats) {
	if _, ended := s.(*stats.ConnEnd); ended {
		w.ending.Go(sessionOf(ctx).end)
	}
}

// TagRPC implements [stats.Handler].
func (w connWatcher) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context { return ctx }

// HandleRPC implements [stats.Handler].
func (w connWatcher) HandleRPC(context.Context, stats.RPCStats) {}
