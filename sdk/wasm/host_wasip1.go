package wasm

import (
	"context"
	"runtime"
	"unsafe"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// address is where a slice lies in the module's memory, which has 32 bits.
func address(b []byte) uint32 { return uint32(uintptr(unsafe.Pointer(unsafe.SliceData(b)))) }

//go:wasmimport gsyncd_host_v1 call
func hostCall(method, request, requestLen, answer, answerCap uint32) uint32

//go:wasmimport gsyncd_host_v1 fetch
func hostFetch(answer uint32)

// hostCaller calls the runner.
type hostCaller struct{}

// Host returns the way to the runner.
func Host() Caller { return hostCaller{} }

// smallAnswer is how much of an answer comes with the call; the rest is fetched.
const smallAnswer = 8 << 10

// Call implements [Caller]. The module has one thread and waits: no context can end
// a call but the runner's own. Between a call and the fetching of its answer memory is
// asked for, and whoever asks may have to wait for the garbage collector, while other
// goroutines go on: none of them may call before the answer is here.
func (hostCaller) Call(ctx context.Context, m Method, request []byte, use func([]byte) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if len(request) > MaxMessage {
		return &sdk.Error{Kind: sdk.KindInput, Op: "call", Msg: "the request is too long"}
	}
	// Answers may be in use while others come, so each has memory of its own.
	answer := make([]byte, smallAnswer)
	module.host.Lock()
	n := hostCall(uint32(m), address(request), uint32(len(request)), address(answer), uint32(len(answer)))
	if int(n) > len(answer) {
		answer = make([]byte, n)
		hostFetch(address(answer))
	}
	module.host.Unlock()
	runtime.KeepAlive(request)
	body, err := Answer(answer[:n])
	runtime.KeepAlive(answer)
	if err != nil || use == nil {
		return err
	}
	return use(body)
}
