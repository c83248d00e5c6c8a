package wasm

import (
	"context"
	"fmt"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/wire"
)

// Guest answers a runner's calls for a driver. Its methods are for one goroutine.
type Guest struct {
	driver sdk.Driver
	server *Server
}

// NewGuest returns a Guest for a driver.
func NewGuest(d sdk.Driver) *Guest {
	return &Guest{driver: d, server: NewServer(context.Background())}
}

// Answer answers one call, appending to b.
func (g *Guest) Answer(b []byte, m Method, request []byte) []byte {
	start := len(b)
	out, err := g.serve(AppendAnswer(b), m, request)
	if err == nil && len(out)-start > MaxMessage {
		err = fmt.Errorf("an answer of %d bytes is too long", len(out)-start)
	}
	if err != nil {
		return AppendFailure(b[:start], "call", err)
	}
	return out
}

func (g *Guest) serve(b []byte, m Method, request []byte) ([]byte, error) {
	ctx := context.Background()
	switch m {
	case Describe:
		return wire.AppendManifest(b, g.driver.Describe())
	case Check:
		req, err := wire.DecodeOpen(request)
		if err != nil {
			return b, badInput("check", err)
		}
		return wire.AppendDiagnostics(b, g.driver.Check(ctx, req)), nil
	case Open:
		req, err := wire.DecodeOpen(request)
		if err != nil {
			return b, badInput("open", err)
		}
		if req.Role == sdk.Primary {
			src, err := g.driver.OpenSource(ctx, req)
			if err != nil {
				return b, err
			}
			return g.server.HoldSource(b, src)
		}
		t, err := g.driver.OpenTarget(ctx, req)
		if err != nil {
			return b, err
		}
		return g.server.HoldTarget(b, t)
	}
	out, known, err := g.server.Serve(ctx, b, m, request)
	if !known {
		err = &sdk.Error{Kind: sdk.KindUnsupported, Op: "call", Msg: fmt.Sprintf("method %d is not known", m)}
	}
	return out, err
}
