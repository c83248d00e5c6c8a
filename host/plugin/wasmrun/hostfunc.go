package wasmrun

import (
	"context"
	"log/slog"

	"github.com/tetratelabs/wazero/api"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/wasm"
	"github.com/gsyncd/gsyncd-host/sdk/wire"
)

// offer makes the module that guests import.
func (e *engine) offer(ctx context.Context) error {
	const i32 = api.ValueTypeI32
	b := e.runtime.NewHostModuleBuilder(wasm.ImportModule)
	b.NewFunctionBuilder().WithGoModuleFunction(api.GoModuleFunc(hostCall), []api.ValueType{i32, i32, i32, i32, i32}, []api.ValueType{i32}).Export(wasm.ImportCall)
	b.NewFunctionBuilder().WithGoModuleFunction(api.GoModuleFunc(hostFetch), []api.ValueType{i32}, nil).Export(wasm.ImportFetch)
	_, err := b.Instantiate(ctx)
	return err
}

// hostCall answers a guest: as much of the answer as fits goes to the place that the
// guest says; all of it waits to be fetched if it does not fit. It returns the
// answer's length. A place outside of the guest's memory is a trap.
func hostCall(ctx context.Context, mod api.Module, stack []uint64) {
	i, ok := ctx.Value(instanceKey{}).(*instance)
	if !ok {
		stack[0] = 0
		return
	}
	method, at, size, out, room := wasm.Method(stack[0]), uint32(stack[1]), uint32(stack[2]), uint32(stack[3]), uint32(stack[4])
	var answer []byte
	request, inside := mod.Memory().Read(at, size)
	if !inside || size > wasm.MaxMessage {
		answer = wasm.AppendFailure(nil, "call host", &sdk.Error{Kind: sdk.KindInput, Op: "call host", Msg: "the request is too long, or not in memory"})
	} else {
		i.budget.pause()
		answer = i.answer(method, request)
		i.budget.resume()
	}
	part := answer
	if i.pending = nil; int(room) < len(answer) {
		part, i.pending = nil, answer
	}
	if !mod.Memory().Write(out, part) {
		// It gets nothing, and what it takes for an answer is its own affair.
		stack[0] = 0
		return
	}
	stack[0] = uint64(uint32(len(answer)))
}

// hostFetch writes the whole of the last answer to a place, if that did not fit when it
// was given. That may be in a later call of the guest: a part of it that was at work may
// have had to wait.
func hostFetch(ctx context.Context, mod api.Module, stack []uint64) {
	if i, ok := ctx.Value(instanceKey{}).(*instance); ok {
		mod.Memory().Write(uint32(stack[0]), i.pending)
		i.pending = nil
	}
}

// answer answers one call of the guest. The guest is waiting, so what it says does
// not change meanwhile.
func (i *instance) answer(m wasm.Method, request []byte) []byte {
	if m == wasm.Log {
		return i.log(request)
	}
	return i.server.Answer(i.caller, nil, m, request)
}

func (i *instance) log(request []byte) []byte {
	c := wire.NewCursor(request)
	level := slog.Level(int32(c.U32()))
	message, attrs, err := c.Log()
	if err != nil {
		return wasm.AppendFailure(nil, "log", &sdk.Error{Kind: sdk.KindInput, Op: "log", Msg: err.Error()})
	}
	args := make([]any, 0, 2*len(attrs))
	for _, a := range attrs {
		args = append(args, a.Name, a.Value)
	}
	i.engine.said.say(min(max(level, slog.LevelDebug), slog.LevelError), message, args...)
	return wasm.AppendAnswer(nil)
}
