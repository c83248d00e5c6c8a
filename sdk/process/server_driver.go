package process

import (
	"context"
	"sync/atomic"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/process/internal/rpcpb"
	"github.com/gsyncd/gsyncd-host/sdk/wire/wirepb"
)

// driverServer serves a driver.
type driverServer struct {
	rpcpb.UnimplementedDriverServer
	driver sdk.Driver
	ids    atomic.Uint64
}

// Describe serves [sdk.Driver.Describe].
func (s *driverServer) Describe(context.Context, *wirepb.Empty) (*wirepb.DriverDescriptor, error) {
	return driverToWire(s.driver.Describe())
}

// Check serves [sdk.Driver.Check].
func (s *driverServer) Check(ctx context.Context, m *wirepb.OpenRequest) (*wirepb.CheckReply, error) {
	req, err := openFromWire(m, s.driver.Describe())
	if err != nil {
		return &wirepb.CheckReply{Error: faultToWire(badInput("check", err))}, nil
	}
	return &wirepb.CheckReply{Diagnostics: diagnosticsToWire(s.driver.Check(ctx, req))}, nil
}

// Open serves [sdk.Driver.OpenSource] and [sdk.Driver.OpenTarget].
func (s *driverServer) Open(ctx context.Context, m *wirepb.OpenRequest) (*wirepb.OpenReply, error) {
	id, info, err := s.open(ctx, m)
	fault, err := outcome(ctx, "open", err)
	if fault != nil || err != nil {
		return &wirepb.OpenReply{Error: fault}, err
	}
	features := info.Features
	if m.Role == uint32(sdk.Secondary) {
		features |= sdk.SyncsInLists
	}
	return &wirepb.OpenReply{Resource: id, Features: uint32(features), Endpoint: endpointToWire(info.Endpoint), Volume: uuidToWire(info.Volume)}, nil
}

func (s *driverServer) open(ctx context.Context, m *wirepb.OpenRequest) (uint64, sdk.Info, error) {
	req, err := openFromWire(m, s.driver.Describe())
	if err != nil {
		return 0, sdk.Info{}, badInput("open", err)
	}
	h := &held{}
	if req.Role == sdk.Primary {
		h.source, err = s.driver.OpenSource(ctx, req)
		h.resource = h.source
	} else {
		h.target, err = s.driver.OpenTarget(ctx, req)
		h.resource = h.target
	}
	if err != nil {
		return 0, sdk.Info{}, err
	}
	if ctx.Err() != nil {
		// Nobody will ever learn its id.
		_ = h.resource.Close()
		return 0, sdk.Info{}, ctx.Err()
	}
	id, err := sessionOf(ctx).add(&s.ids, h)
	if err != nil {
		return 0, sdk.Info{}, err
	}
	return id, h.resource.Info(), nil
}
