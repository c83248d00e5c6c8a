package wasmrun

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/sys"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/grant"
	"github.com/gsyncd/gsyncd-host/sdk/wasm"
	"github.com/gsyncd/gsyncd-host/sdk/wire"
)

// cancelGrace is how long a guest may go on working for a call that nobody waits for
// any more. Ending it costs its instance.
const cancelGrace = time.Second

// startTime is how long a guest may take to be ready, if it has not more for a call.
const startTime = 30 * time.Second

// instance is a guest with its own memory. It is for concurrent calls, which take
// turns.
type instance struct {
	engine *engine
	turn   chan struct{} // holds the one turn
	life   context.Context
	end    context.CancelFunc
	stderr *lines

	// In the turn:
	module  api.Module
	alloc   api.Function
	call    api.Function
	server  *grant.Server   // what the guest has open at the host
	budget  *budget         // of the call that is made
	caller  context.Context // of who asks
	work    context.Context // ends when the budget is used up
	pending []byte          // an answer of the host that the guest has not fetched
	closed  bool

	mu     sync.Mutex
	failed *sdk.Error // why it may not be used any more
}

var _ wasm.Caller = (*instance)(nil)

// instanceKey finds the instance in the context of a host function.
type instanceKey struct{}

// newInstance makes a guest that is ready to be called.
func (e *engine) newInstance(ctx context.Context) (*instance, error) {
	i := &instance{engine: e, turn: make(chan struct{}, 1)}
	i.life, i.end = context.WithCancel(context.Background())
	ended := func() error { return i.work.Err() }
	i.stderr = &lines{out: e.said, source: "stderr", ended: ended}
	i.server = grant.NewServer(i.life, e.granted)
	conf := wazero.NewModuleConfig().WithName("").WithStartFunctions().
		WithStdout(&lines{out: e.said, source: "stdout", ended: ended}).WithStderr(i.stderr).
		WithRandSource(rand.Reader).WithSysWalltime().WithSysNanotime().
		WithNanosleep(i.sleep)
	i.turn <- struct{}{}
	defer func() { <-i.turn }()
	err := i.run(ctx, "start", max(startTime, e.config.CallTimeout), func(ctx context.Context) (err error) {
		if i.module, err = e.runtime.InstantiateModule(ctx, e.module, conf); err != nil {
			return err
		}
		i.alloc, i.call = i.module.ExportedFunction(wasm.ExportAlloc), i.module.ExportedFunction(wasm.ExportCall)
		if f := i.module.ExportedFunction("_initialize"); f != nil {
			if _, err := f.Call(ctx); err != nil {
				return err
			}
		}
		v, err := i.module.ExportedFunction(wasm.ExportVersion).Call(ctx)
		if err == nil && v[0] != wire.ABI {
			err = &sdk.Error{Kind: sdk.KindUnsupported, Op: "start", Msg: wrongVersion(v[0]).Error()}
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return i, nil
}

// sleep is how a guest waits: no longer than it may work.
func (i *instance) sleep(ns int64) {
	t := time.NewTimer(time.Duration(ns))
	defer t.Stop()
	select {
	case <-t.C:
	case <-i.caller.Done():
	case <-i.work.Done():
	}
}

// Call implements [wasm.Caller].
func (i *instance) Call(ctx context.Context, m wasm.Method, request []byte, use func([]byte) error) error {
	select {
	case i.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	answer, err := i.exchange(ctx, m, request)
	<-i.turn
	if err == nil {
		answer, err = wasm.Answer(answer)
	}
	if err != nil || use == nil {
		return err
	}
	return use(answer)
}

// exchange takes a request into the guest's memory and the answer out of it.
func (i *instance) exchange(ctx context.Context, m wasm.Method, request []byte) (answer []byte, err error) {
	if err := i.broken(); err != nil {
		return nil, err
	}
	if len(request) > wasm.MaxMessage {
		return nil, &sdk.Error{Kind: sdk.KindInput, Op: "call", Msg: fmt.Sprintf("a request of %d bytes is too long", len(request))}
	}
	err = i.run(ctx, "call", i.engine.config.CallTimeout, func(ctx context.Context) error {
		var at uint64
		if len(request) > 0 {
			place, err := i.alloc.Call(ctx, uint64(len(request)))
			if err != nil {
				return err
			}
			if at = place[0]; !i.module.Memory().Write(uint32(at), request) {
				return rogue("it has no room for a request where it says")
			}
		}
		out, err := i.call.Call(ctx, uint64(m), at, uint64(len(request)))
		if err != nil {
			return err
		}
		where, size := uint32(out[0]>>32), uint32(out[0])
		if size > wasm.MaxMessage+1<<10 {
			return rogue(fmt.Sprintf("an answer of %d bytes is too long", size))
		}
		view, ok := i.module.Memory().Read(where, size)
		if !ok {
			return rogue("its answer is outside of its memory")
		}
		answer = append([]byte(nil), view...)
		return nil
	})
	return answer, err
}

// rogue is the error of a guest that breaks the rules of the border.
func rogue(text string) *sdk.Error {
	return &sdk.Error{Kind: sdk.KindFatal, Op: "call guest", Msg: "the guest breaks the rules: " + text}
}

// run runs the guest within its budget. After an error it is discarded.
func (i *instance) run(ctx context.Context, op string, limit time.Duration, f func(context.Context) error) error {
	work, b := startBudget(context.WithValue(context.Background(), instanceKey{}, i), limit)
	i.budget, i.caller, i.work = b, ctx, work
	undo := context.AfterFunc(ctx, func() { b.shorten(cancelGrace) })
	i.stderr.first = ""
	err := f(work)
	undo()
	late := b.close()
	if err == nil {
		return nil
	}
	fault := i.explain(ctx, op, err, late, limit)
	i.discard(fault)
	if late && ctx.Err() != nil {
		return fmt.Errorf("%s: %w", op, ctx.Err())
	}
	return fault
}

// explain says why a guest failed.
func (i *instance) explain(ctx context.Context, op string, err error, late bool, limit time.Duration) *sdk.Error {
	said := i.stderr.reset()
	var own *sdk.Error
	var exit *sys.ExitError
	switch {
	case errors.As(err, &own):
		return own
	case late && ctx.Err() != nil:
		return &sdk.Error{Kind: sdk.KindTransient, Op: op, Msg: "the guest did not end a call that was given up"}
	case late:
		return &sdk.Error{Kind: sdk.KindTransient, Op: op, Msg: fmt.Sprintf("the guest did not answer within %s", limit)}
	case errors.As(err, &exit):
		err = fmt.Errorf("it ended itself with status %d", exit.ExitCode())
	default:
		i.engine.log.Debug("guest failed", "error", err)
		err = firstLine(err)
	}
	text := "the guest failed: " + err.Error()
	if said != "" {
		text += "; it said: " + said
	}
	return &sdk.Error{Kind: sdk.KindFatal, Op: op, Msg: text}
}

// fault says why the instance may not be used any more, nil if it may.
func (i *instance) fault() *sdk.Error {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.failed
}

// broken is fault as an error.
func (i *instance) broken() error {
	if f := i.fault(); f != nil {
		return f
	}
	return nil
}

// discard ends the instance and gives back what it has open. It is called in the
// turn, or before the first.
func (i *instance) discard(why *sdk.Error) {
	i.mu.Lock()
	if i.failed == nil {
		i.failed = why
	}
	i.mu.Unlock()
	if i.closed {
		return
	}
	i.closed = true
	i.end()
	if i.module != nil {
		if err := i.module.Close(context.Background()); err != nil {
			i.engine.log.Debug("close guest", "error", err)
		}
	}
	if err := i.server.Close(); err != nil {
		i.engine.log.Warn("close what the guest had open", "error", err)
	}
}

// judge looks at how a call ended: a guest whose answers are malformed is not asked
// again.
func (i *instance) judge(err error) {
	var bad *wasm.MalformedError
	if !errors.As(err, &bad) {
		return
	}
	i.turn <- struct{}{}
	defer func() { <-i.turn }()
	i.discard(bad.Fault)
}

// close ends an instance that is no longer needed. It waits for its turn.
func (i *instance) close() {
	i.turn <- struct{}{}
	defer func() { <-i.turn }()
	i.discard(&sdk.Error{Kind: sdk.KindGone, Op: "call", Msg: "the resource is closed"})
}
