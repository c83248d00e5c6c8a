package process

import (
	"context"
	"fmt"
	"syscall"

	"google.golang.org/grpc/status"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/wire"
	"github.com/gsyncd/gsyncd-host/sdk/wire/wirepb"
)

// maxText is the longest text of an error that is sent.
const maxText = 4 << 10

func cut(s string) []byte { return []byte(s[:min(len(s), maxText)]) }

func faultToWire(e *sdk.Error) *wirepb.Error {
	if e == nil {
		return nil
	}
	out := &wirepb.Error{Kind: uint32(e.Kind), Op: cut(e.Op), Errno: uint32(e.Errno), Msg: cut(e.Msg)}
	if !e.Kind.Valid() {
		out.Kind = uint32(sdk.KindFatal)
	}
	if e.Path != "" && e.Path.Validate() == nil {
		out.Path = []byte(e.Path)
	}
	return out
}

// faultFromWire returns nil for nil. An error that breaks the rules becomes one
// that says so: the call failed in any case.
func faultFromWire(m *wirepb.Error) *sdk.Error {
	if m == nil {
		return nil
	}
	e := &sdk.Error{Kind: sdk.Kind(m.Kind), Op: string(m.Op), Path: sdk.Path(m.Path), Errno: syscall.Errno(m.Errno), Msg: string(m.Msg)}
	err := wire.ValidateError(e)
	if m.Kind > 255 {
		err = fmt.Errorf("error kind %d is not known", m.Kind)
	}
	if err != nil {
		return &sdk.Error{Kind: sdk.KindFatal, Op: "decode error", Msg: err.Error()}
	}
	return e
}

// outcome is how a served call ends: as an error in its reply, or, if the call
// was given up, as a status.
func outcome(ctx context.Context, op string, err error) (*wirepb.Error, error) {
	switch {
	case err == nil:
		return nil, nil
	case ctx.Err() != nil:
		return nil, status.FromContextError(ctx.Err()).Err()
	}
	return faultToWire(wire.AsError(op, err)), nil
}

// badInput is the error of a request that no well-behaved host sends.
func badInput(op string, err error) *sdk.Error {
	return &sdk.Error{Kind: sdk.KindInput, Op: op, Msg: err.Error()}
}

// badReply is the error of an answer that no well-behaved plugin sends.
func badReply(op string, err error) *sdk.Error {
	return &sdk.Error{Kind: sdk.KindFatal, Op: op, Msg: "the plugin's answer is malformed: " + err.Error()}
}
