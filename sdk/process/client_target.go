package process

import (
	"context"
	"errors"
	"fmt"
	"io"

	"google.golang.org/grpc"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/wire"
	"github.com/gsyncd/gsyncd-host/sdk/wire/wirepb"
)

// targetClient is a target at the other end of a connection.
type targetClient struct{ *resourceClient }

var _ sdk.Target = (*targetClient)(nil)

type applyStream = grpc.BidiStreamingClient[wirepb.ApplyRequest, wirepb.ApplyReply]

// Apply implements [sdk.Target]. Where there are more operations than one
// message may have, the messages follow each other without waiting for answers,
// and an error of a later one comes with the results of the earlier ones.
func (t *targetClient) Apply(ctx context.Context, ops []sdk.Op) ([]sdk.OpResult, error) {
	results := make([]sdk.OpResult, 0, len(ops))
	var parts [][]sdk.Op
	err := wire.Split(ops, wire.OpSize, func(_ int, part []sdk.Op) error {
		parts = append(parts, part)
		return nil
	})
	if err != nil || len(parts) == 0 {
		return results, err
	}
	w := watch(ctx, t.link.timeouts.Work)
	defer w.end()
	stream, err := t.rpc.Apply(w.ctx)
	if err != nil {
		return results, t.link.failure(w, "apply", err)
	}
	sent := make(chan error, 1)
	go func() { sent <- t.sendParts(stream, parts) }()
	results, err = t.applied(w, stream, parts, results)
	failed := err != nil && !errors.Is(err, io.EOF)
	if failed {
		w.end() // for the sender
	}
	bad := <-sent
	switch {
	case failed:
		return results, err
	case bad != nil: // what the early end is about
		return results, bad
	case err != nil:
		return results, badReply("apply", errors.New("stream ends early"))
	}
	return results, nil
}

// sendParts sends operations. Its error is about one of them, before which it
// stopped; that of the stream the receiver will see.
func (t *targetClient) sendParts(stream applyStream, parts [][]sdk.Op) error {
	for n, part := range parts {
		req := &wirepb.ApplyRequest{Resource: t.id, Ops: make([]*wirepb.Op, len(part)), More: n+1 < len(parts)}
		for i := range part {
			err := wire.CheckOp(&part[i])
			if err != nil {
				err = badInput("apply", err)
			} else if n := wire.OpSize(&part[i]); n > maxMessage-wire.MaxRequest {
				err = &sdk.Error{Kind: sdk.KindInput, Op: part[i].Kind.String(), Path: part[i].Path, Msg: fmt.Sprintf("%d bytes of attributes are too many", n)}
			}
			if err != nil {
				_ = stream.CloseSend() // never fails
				return err
			}
			req.Ops[i] = opToWire(&part[i])
		}
		if stream.Send(req) != nil {
			return nil
		}
	}
	_ = stream.CloseSend() // never fails
	return nil
}

// applied receives the answers to parts and adds their results. io.EOF is an
// end before the last of them.
func (t *targetClient) applied(w *watchdog, stream applyStream, parts [][]sdk.Op, results []sdk.OpResult) ([]sdk.OpResult, error) {
	for n := 0; ; n++ {
		m, err := recv(w, stream)
		switch {
		case errors.Is(err, io.EOF) && n == len(parts):
			return results, nil
		case errors.Is(err, io.EOF):
			return results, io.EOF
		case err != nil:
			return results, t.link.failure(w, "apply", err)
		case m.Error != nil:
			return results, t.fault(w, "apply", faultFromWire(m.Error))
		case n == len(parts) || len(m.Results) != len(parts[n]):
			return results, badReply("apply", fmt.Errorf("%d results in answer %d", len(m.Results), n+1))
		}
		for i, raw := range m.Results {
			r, err := resultFromWire(raw, parts[n][i].Path)
			if err != nil {
				return results, badReply("apply", err)
			}
			results = append(results, r)
		}
	}
}

// Sync implements [sdk.Target].
func (t *targetClient) Sync(ctx context.Context) error {
	var m *wirepb.StatusReply
	err := t.link.call(ctx, "sync", t.link.timeouts.Work, func(ctx context.Context) (err error) {
		m, err = t.rpc.Sync(ctx, t.request())
		return err
	})
	if err != nil {
		return err
	}
	if fault := faultFromWire(m.Error); fault != nil {
		return fault
	}
	return nil
}
