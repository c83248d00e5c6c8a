package process

import (
	"context"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/process/internal/rpcpb"
	"github.com/gsyncd/gsyncd-host/sdk/wire/wirepb"
)

// resourceServer serves the resources that a driverServer opened.
type resourceServer struct {
	rpcpb.UnimplementedResourceServer
}

// on runs f on an open resource and returns how the call ends.
func on(ctx context.Context, id uint64, op string, f func(ctx context.Context, h *held) error) (*wirepb.Error, error) {
	h, call, done, err := sessionOf(ctx).use(ctx, id)
	if err != nil {
		return outcome(ctx, op, err)
	}
	defer done()
	return outcome(call, op, f(call, h))
}

func noSource(op string) error {
	return &sdk.Error{Kind: sdk.KindUnsupported, Op: op, Msg: "not open as a primary"}
}

func noTarget(op string) error {
	return &sdk.Error{Kind: sdk.KindUnsupported, Op: op, Msg: "not open as a secondary"}
}

// Identity serves [sdk.Resource.Identity].
func (s *resourceServer) Identity(ctx context.Context, m *wirepb.ResourceRequest) (*wirepb.IdentityReply, error) {
	out := &wirepb.IdentityReply{}
	var err error
	out.Error, err = on(ctx, m.Resource, "identify", func(ctx context.Context, h *held) error {
		id, err := h.resource.Identity(ctx)
		out.Filesystem, out.Ino, out.Gen = cut(id.Filesystem), id.Root.Ino, id.Root.Gen
		return err
	})
	return out, err
}

// Beacon serves [sdk.Source.Beacon].
func (s *resourceServer) Beacon(ctx context.Context, m *wirepb.ResourceRequest) (*wirepb.BeaconReply, error) {
	out := &wirepb.BeaconReply{}
	var err error
	out.Error, err = on(ctx, m.Resource, "read clock", func(ctx context.Context, h *held) error {
		if h.source == nil {
			return noSource("read clock")
		}
		b, err := h.source.Beacon(ctx)
		out.NowSec, out.NowNsec, out.Window = b.Now.Sec, b.Now.Nsec, int64(b.Window)
		out.Index = volumeMarkToWire(b.Index)
		return err
	})
	return out, err
}

// Sync serves [sdk.Target.Sync].
func (s *resourceServer) Sync(ctx context.Context, m *wirepb.ResourceRequest) (*wirepb.StatusReply, error) {
	fault, err := on(ctx, m.Resource, "sync", func(ctx context.Context, h *held) error {
		if h.target == nil {
			return noTarget("sync")
		}
		return h.target.Sync(ctx)
	})
	return &wirepb.StatusReply{Error: fault}, err
}

// Close serves [sdk.Resource.Close].
func (s *resourceServer) Close(ctx context.Context, m *wirepb.ResourceRequest) (*wirepb.StatusReply, error) {
	fault, err := outcome(ctx, "close", sessionOf(ctx).drop(m.Resource))
	return &wirepb.StatusReply{Error: fault}, err
}
