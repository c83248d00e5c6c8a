package process

import (
	"context"
	"errors"
	"fmt"
	"io"

	"google.golang.org/grpc"

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
		return err
	})
	return out, err
}

// Apply serves [sdk.Target.Apply].
func (s *resourceServer) Apply(stream grpc.BidiStreamingServer[wirepb.ApplyRequest, wirepb.ApplyReply]) error {
	for {
		m, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		out, err := applyPart(stream.Context(), m)
		if err == nil {
			err = stream.Send(out)
		}
		if err != nil || out.Error != nil {
			return err
		}
	}
}

// applyPart does the operations of one message.
func applyPart(ctx context.Context, m *wirepb.ApplyRequest) (*wirepb.ApplyReply, error) {
	out := &wirepb.ApplyReply{}
	var err error
	out.Error, err = on(ctx, m.Resource, "apply", func(ctx context.Context, h *held) error {
		if h.target == nil {
			return noTarget("apply")
		}
		if len(m.Ops) > sdk.MaxBatch {
			return badInput("apply", fmt.Errorf("%d operations in one message, more than %d", len(m.Ops), sdk.MaxBatch))
		}
		ops := make([]sdk.Op, len(m.Ops))
		for i, op := range m.Ops {
			var err error
			if ops[i], err = opFromWire(op); err != nil {
				return badInput("apply", err)
			}
		}
		results, err := h.target.Apply(ctx, ops)
		if err != nil {
			return err
		}
		if len(results) != len(ops) {
			return fmt.Errorf("%d results for %d operations", len(results), len(ops))
		}
		out.Results = make([]*wirepb.OpResult, len(results))
		for i, r := range results {
			out.Results[i] = resultToWire(r, ops[i].Path)
		}
		return nil
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
