package process

import (
	"context"
	"errors"
	"fmt"
	"io"

	"google.golang.org/grpc"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/process/internal/rpcpb"
	"github.com/gsyncd/gsyncd-host/sdk/schema"
	"github.com/gsyncd/gsyncd-host/sdk/wire"
	"github.com/gsyncd/gsyncd-host/sdk/wire/wirepb"
)

// transferClient is a transfer method at the other end of a connection.
type transferClient struct {
	link *link
	rpc  rpcpb.TransferClient
	desc sdk.TransferDescriptor
}

var _ sdk.Transfer = (*transferClient)(nil)

// Transfer returns the transfer method that is served at the other end of a
// connection. What it says of itself is asked for and checked here, once.
func Transfer(ctx context.Context, conn grpc.ClientConnInterface, opts ...Option) (sdk.Transfer, error) {
	t := &transferClient{link: newLink(conn, opts), rpc: rpcpb.NewTransferClient(conn)}
	var m *wirepb.TransferDescriptor
	err := t.link.call(ctx, "describe transfer", t.link.timeouts.Call, func(ctx context.Context) (err error) {
		m, err = t.rpc.Describe(ctx, &wirepb.Empty{})
		return err
	})
	if err != nil {
		return nil, err
	}
	if t.desc, err = transferFromWire(m); err != nil {
		return nil, badReply("describe transfer", err)
	}
	return t, nil
}

// Describe implements [sdk.Transfer].
func (t *transferClient) Describe() sdk.TransferDescriptor { return t.desc }

// Check implements [sdk.Transfer].
func (t *transferClient) Check(ctx context.Context, cfg schema.Values) []schema.Diagnostic {
	config, err := cfg.Marshal()
	if err != nil {
		return failedCheck(err)
	}
	return t.link.check(ctx, func(ctx context.Context) (*wirepb.CheckReply, error) {
		return t.rpc.Check(ctx, &wirepb.TransferCheckRequest{Config: config})
	})
}

// Run implements [sdk.Transfer].
func (t *transferClient) Run(ctx context.Context, job sdk.Job, files []sdk.File, result func(sdk.FileResult), progress func(int64)) error {
	w := watch(ctx, t.link.timeouts.Work)
	defer w.end()
	stream, err := t.rpc.Run(w.ctx)
	if err != nil {
		return t.link.failure(w, "transfer", err)
	}
	if err := t.sendJob(w, stream, job, files); err != nil {
		return err
	}
	in := runFeed{waiting: make(map[string]bool, len(files)), result: result, progress: progress}
	for i := range files {
		in.waiting[files[i].Name] = true
	}
	for {
		m, err := recv(w, stream)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return t.link.failure(w, "transfer", err)
		}
		if fault := faultFromWire(m.Error); fault != nil {
			if err := ctx.Err(); err != nil {
				return fmt.Errorf("transfer: %w", err)
			}
			return fault
		}
		if err := in.reply(m); err != nil {
			return badReply("transfer", err)
		}
	}
}

type runClient = grpc.BidiStreamingClient[wirepb.RunRequest, wirepb.RunReply]

func (t *transferClient) sendJob(w *watchdog, stream runClient, job sdk.Job, files []sdk.File) error {
	raw, err := jobToWire(job)
	if err != nil {
		return badInput("transfer", err)
	}
	err = send(w, stream, &wirepb.RunRequest{Job: raw})
	if err == nil {
		err = wire.Split(files, fileSize, func(_ int, part []sdk.File) error {
			m := &wirepb.RunRequest{Files: make([]*wirepb.File, len(part))}
			for i := range part {
				m.Files[i] = fileToWire(&part[i])
			}
			return send(w, stream, m)
		})
	}
	if err == nil {
		err = stream.CloseSend()
	}
	if errors.Is(err, io.EOF) {
		return nil // ended by the other side, which says why in its reply
	}
	return t.link.failure(w, "transfer", err)
}

func fileSize(f *sdk.File) int { return len(f.Name) + len(f.Path) + 48 }

// runFeed checks what a transfer method reports and passes it on.
type runFeed struct {
	waiting  map[string]bool
	result   func(sdk.FileResult)
	progress func(int64)
}

func (f *runFeed) reply(m *wirepb.RunReply) error {
	for _, raw := range m.Results {
		r := sdk.FileResult{Name: string(raw.Name), Err: faultFromWire(raw.Error), Moved: raw.Moved}
		if !f.waiting[r.Name] {
			return fmt.Errorf("a result for %q, which is not waited for", r.Name)
		}
		if r.Moved < 0 {
			return fmt.Errorf("%d bytes moved", r.Moved)
		}
		delete(f.waiting, r.Name)
		f.result(r)
	}
	if m.Moved > 0 && f.progress != nil {
		f.progress(m.Moved)
	}
	return nil
}
