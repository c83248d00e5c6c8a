package process

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/process/internal/rpcpb"
	"github.com/gsyncd/gsyncd-host/sdk/wire"
	"github.com/gsyncd/gsyncd-host/sdk/wire/wirepb"
)

// resourceClient is what sources and targets have in common.
type resourceClient struct {
	link *link
	rpc  rpcpb.ResourceClient
	id   uint64
	info sdk.Info

	closing sync.Once
	closed  error
}

var _ sdk.Resource = (*resourceClient)(nil)

// Info implements [sdk.Resource].
func (r *resourceClient) Info() sdk.Info { return r.info }

func (r *resourceClient) request() *wirepb.ResourceRequest {
	return &wirepb.ResourceRequest{Resource: r.id}
}

// Identity implements [sdk.Resource].
func (r *resourceClient) Identity(ctx context.Context) (sdk.Identity, error) {
	var m *wirepb.IdentityReply
	err := r.link.call(ctx, "identify", r.link.timeouts.Call, func(ctx context.Context) (err error) {
		m, err = r.rpc.Identity(ctx, r.request())
		return err
	})
	if err != nil {
		return sdk.Identity{}, err
	}
	if fault := faultFromWire(m.Error); fault != nil {
		return sdk.Identity{}, fault
	}
	return sdk.Identity{Filesystem: string(m.Filesystem), Root: sdk.FileID{Ino: m.Ino, Gen: m.Gen}}, nil
}

// rows runs a call that is answered with rows.
func (r *resourceClient) rows(w *watchdog, op string, stream interface {
	Recv() (*wirepb.RowsReply, error)
}, feed func([]byte) error) error {
	for {
		m, err := recv(w, stream)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return r.link.failure(w, op, err)
		}
		if fault := faultFromWire(m.Error); fault != nil {
			return r.fault(w, op, fault)
		}
		if err := feed(m.Rows); err != nil {
			var own *wire.SinkError
			if errors.As(err, &own) {
				return own.Err
			}
			return badReply(op, err)
		}
	}
}

// fault prefers the end of the caller's context to what the plugin made of it.
func (r *resourceClient) fault(w *watchdog, op string, fault *sdk.Error) error {
	if err := w.parent.Err(); err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	return fault
}

// Scan implements [sdk.Resource].
func (r *resourceClient) Scan(ctx context.Context, req sdk.ScanRequest, sink sdk.ScanSink) error {
	return wire.Split(req.Dirs, wire.PathSize, func(first int, dirs []sdk.Path) error {
		w := watch(ctx, r.link.timeouts.Work)
		defer w.end()
		stream, err := r.rpc.Scan(w.ctx, &wirepb.PathsRequest{Resource: r.id, Paths: pathsToWire(dirs), Fields: uint32(req.Fields)})
		if err != nil {
			return r.link.failure(w, "scan", err)
		}
		dec := wire.NewScanDecoder(len(dirs), first, sink)
		if err := r.rows(w, "scan", stream, dec.Feed); err != nil {
			return err
		}
		if err := dec.Finish(); err != nil {
			return badReply("scan", err)
		}
		return nil
	})
}

// Stat implements [sdk.Resource].
func (r *resourceClient) Stat(ctx context.Context, paths []sdk.Path, fields sdk.Fields) ([]sdk.Entry, error) {
	out := make([]sdk.Entry, 0, len(paths))
	err := wire.Split(paths, wire.PathSize, func(first int, part []sdk.Path) error {
		w := watch(ctx, r.link.timeouts.Call)
		defer w.end()
		stream, err := r.rpc.Stat(w.ctx, &wirepb.PathsRequest{Resource: r.id, Paths: pathsToWire(part), Fields: uint32(fields)})
		if err != nil {
			return r.link.failure(w, "stat", err)
		}
		err = r.rows(w, "stat", stream, func(rows []byte) error {
			for len(rows) > 0 {
				var e sdk.Entry
				var err error
				if rows, err = wire.NextEntry(rows, &e); err != nil {
					return err
				}
				if len(out) == first+len(part) {
					return fmt.Errorf("more than %d entries", len(part))
				}
				if want := paths[len(out)].Base(); e.Name != want {
					return fmt.Errorf("entry %q for %q", e.Name, want)
				}
				out = append(out, e)
			}
			return nil
		})
		if err == nil && len(out) != first+len(part) {
			return badReply("stat", fmt.Errorf("%d entries for %d paths", len(out)-first, len(part)))
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// Close implements [sdk.Resource]. A plugin that is gone has closed it.
func (r *resourceClient) Close() error {
	r.closing.Do(func() {
		var m *wirepb.StatusReply
		err := r.link.call(context.Background(), "close", r.link.timeouts.Call, func(ctx context.Context) (err error) {
			m, err = r.rpc.Close(ctx, r.request())
			return err
		})
		switch {
		case err == nil:
			if fault := faultFromWire(m.Error); fault != nil {
				r.closed = fault
			}
		case sdk.KindOf(err) != sdk.KindGone:
			r.closed = err
		}
	})
	return r.closed
}
