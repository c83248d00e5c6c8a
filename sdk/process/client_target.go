package process

import (
	"context"
	"fmt"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/wire/wirepb"
)

// targetClient is a target at the other end of a connection.
type targetClient struct{ *resourceClient }

var _ sdk.Target = (*targetClient)(nil)

// Apply implements [sdk.Target]. Where there are more operations than one
// message may have, an error of a later message comes with the results of the
// earlier ones.
func (t *targetClient) Apply(ctx context.Context, ops []sdk.Op) ([]sdk.OpResult, error) {
	results := make([]sdk.OpResult, 0, len(ops))
	err := split(ops, opSize, func(_ int, part []sdk.Op) error {
		req := &wirepb.ApplyRequest{Resource: t.id, Ops: make([]*wirepb.Op, len(part))}
		for i := range part {
			if err := part[i].Validate(); err != nil {
				return badInput("apply", err)
			}
			if n := opSize(&part[i]); n > maxMessage-maxRequest {
				return &sdk.Error{Kind: sdk.KindInput, Op: part[i].Kind.String(), Path: part[i].Path, Msg: fmt.Sprintf("%d bytes of attributes are too many", n)}
			}
			req.Ops[i] = opToWire(&part[i])
		}
		var m *wirepb.ApplyReply
		err := t.link.call(ctx, "apply", t.link.timeouts.Work, func(ctx context.Context) (err error) {
			m, err = t.rpc.Apply(ctx, req)
			return err
		})
		if err != nil {
			return err
		}
		if fault := faultFromWire(m.Error); fault != nil {
			return fault
		}
		if len(m.Results) != len(part) {
			return badReply("apply", fmt.Errorf("%d results for %d operations", len(m.Results), len(part)))
		}
		for i, raw := range m.Results {
			r, err := resultFromWire(raw, part[i].Path)
			if err != nil {
				return badReply("apply", err)
			}
			results = append(results, r)
		}
		return nil
	})
	return results, err
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
