package process

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"google.golang.org/grpc"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/wire"
	"github.com/gsyncd/gsyncd-host/sdk/wire/wirepb"
)

// maxParts is how many messages of one list go to the target in one call: a
// target that is far away itself waits once for all of them.
const maxParts = 16

type applyServer = grpc.BidiStreamingServer[wirepb.ApplyRequest, wirepb.ApplyReply]

// Apply serves [sdk.Target.Apply]. One stream is one list: after a sync that
// failed nothing more of it is done, in whatever message it comes.
func (s *resourceServer) Apply(stream applyServer) error {
	var unsynced *sdk.Error
	for {
		in, err := receiveParts(stream)
		if err != nil {
			return err
		}
		if len(in.sizes) == 0 && in.bad == nil {
			return nil
		}
		var results []sdk.OpResult
		fault, err := on(stream.Context(), in.resource, "apply", func(ctx context.Context, h *held) (err error) {
			if h.target == nil {
				return noTarget("apply")
			}
			switch {
			case unsynced != nil:
				results = slices.Repeat([]sdk.OpResult{{Err: unsynced}}, len(in.ops))
			case len(in.ops) > 0:
				results, err = sdk.ApplyAll(ctx, h.target, in.ops)
			}
			switch {
			case err != nil:
				return err
			case len(results) != len(in.ops):
				return fmt.Errorf("%d results for %d operations", len(results), len(in.ops))
			}
			return in.bad
		})
		if err != nil {
			return err
		}
		for i := range min(len(results), len(in.ops)) {
			if in.ops[i].Kind == sdk.OpSync && results[i].Err != nil {
				unsynced = results[i].Err
			}
		}
		if err := in.answer(stream, results); err != nil {
			return err
		}
		if fault != nil {
			return stream.Send(&wirepb.ApplyReply{Error: fault})
		}
	}
}

// applyParts are the operations of some messages that came one after another.
type applyParts struct {
	resource uint64
	ops      []sdk.Op
	sizes    []int // of the messages
	bad      error // of a message after these
}

// receiveParts receives messages until the end of a list, or enough of them.
// There are none at the end of the stream.
func receiveParts(stream applyServer) (in applyParts, err error) {
	bytes := 0
	for more := true; more && len(in.sizes) < maxParts && bytes < maxParts*wire.MaxRequest; {
		m, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return in, nil
		}
		if err != nil {
			return in, err
		}
		switch {
		case len(m.Ops) > sdk.MaxBatch:
			in.bad = badInput("apply", fmt.Errorf("%d operations in one message, more than %d", len(m.Ops), sdk.MaxBatch))
		case len(in.sizes) > 0 && m.Resource != in.resource:
			in.bad = badInput("apply", errors.New("one list for two resources"))
		}
		if len(in.sizes) == 0 {
			in.resource = m.Resource
		}
		before := len(in.ops)
		for i := 0; i < len(m.Ops) && in.bad == nil; i++ {
			op, err := opFromWire(m.Ops[i])
			if err != nil {
				in.bad = badInput("apply", err)
			}
			in.ops = append(in.ops, op)
			bytes += wire.OpSize(&op)
		}
		if in.bad != nil {
			in.ops = in.ops[:before]
			return in, nil
		}
		in.sizes = append(in.sizes, len(m.Ops))
		more = m.More
	}
	return in, nil
}

// answer sends the results, one message for each that came, as far as they go.
func (in *applyParts) answer(stream applyServer, results []sdk.OpResult) error {
	done := 0
	for _, n := range in.sizes {
		if len(results)-done < n {
			return nil
		}
		out := &wirepb.ApplyReply{Results: make([]*wirepb.OpResult, n)}
		for i := range n {
			out.Results[i] = resultToWire(results[done+i], in.ops[done+i].Path)
		}
		if err := stream.Send(out); err != nil {
			return err
		}
		done += n
	}
	return nil
}
