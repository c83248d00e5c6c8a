package wasm

import (
	"log/slog"
	"sync"
	_ "unsafe" // for go:linkname

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/wire"
)

// module is the state of this module, which is one guest. An export has no
// receiver, so there is no other place for it.
var module struct { //nolint:gochecknoglobals // the exports of a module have no receiver
	guest   *Guest
	request []byte     // the runner's place for a request
	answer  []byte     // valid until the next call
	host    sync.Mutex // held from a call of the runner until its answer is here
}

// mainMain is the program's main function. A module that is built as a library is
// initialized without it; its first export calls it, so that one main serves both
// builds.
//
//go:linkname mainMain main.main
func mainMain()

// Serve makes this module a guest that serves the driver that build returns. It is
// called by main and returns at once.
func Serve(build func(*slog.Logger) sdk.Driver) {
	module.guest = NewGuest(build(slog.New(&logHandler{})))
}

//go:wasmexport gsyncd_abi_version
func abiVersion() uint32 { return wire.ABI }

// alloc returns a place for a request, valid until it is called again.
//
//go:wasmexport gsyncd_alloc
func alloc(size uint32) uint32 {
	if size > MaxMessage {
		return 0
	}
	if uint32(cap(module.request)) < size || module.request == nil {
		module.request = make([]byte, max(size, 4<<10))
	}
	return address(module.request[:1])
}

//go:wasmexport gsyncd_call
func call(method, at, size uint32) uint64 {
	if module.guest == nil {
		mainMain()
	}
	var request []byte
	if uint32(cap(module.request)) >= size && size > 0 && at == address(module.request[:1]) {
		request = module.request[:size]
	}
	if module.guest == nil {
		module.answer = AppendFailure(module.answer[:0], "start", &sdk.Error{Kind: sdk.KindFatal, Op: "start", Msg: "main does not call serve.Driver"})
	} else {
		module.answer = module.guest.Answer(module.answer[:0], Method(method), request)
	}
	return uint64(address(module.answer[:1]))<<32 | uint64(len(module.answer))
}
