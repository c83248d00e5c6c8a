package process

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"google.golang.org/grpc"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/process/internal/rpcpb"
	"github.com/gsyncd/gsyncd-host/sdk/wire/wirepb"
)

// progressEvery is how often the sum of bytes moved is sent at most.
const progressEvery = 100 * time.Millisecond

// transferServer serves a transfer method.
type transferServer struct {
	rpcpb.UnimplementedTransferServer
	transfer sdk.Transfer
}

type runStream = grpc.BidiStreamingServer[wirepb.RunRequest, wirepb.RunReply]

// Describe serves [sdk.Transfer.Describe].
func (s *transferServer) Describe(context.Context, *wirepb.Empty) (*wirepb.TransferDescriptor, error) {
	return transferToWire(s.transfer.Describe())
}

// Check serves [sdk.Transfer.Check].
func (s *transferServer) Check(ctx context.Context, m *wirepb.TransferCheckRequest) (*wirepb.CheckReply, error) {
	cfg, err := s.transfer.Describe().Schema.Unmarshal(m.Config)
	if err != nil {
		return &wirepb.CheckReply{Error: faultToWire(badInput("check", err))}, nil
	}
	return &wirepb.CheckReply{Diagnostics: diagnosticsToWire(s.transfer.Check(ctx, cfg))}, nil
}

// Run serves [sdk.Transfer.Run].
func (s *transferServer) Run(stream runStream) error {
	ctx := stream.Context()
	done, err := sessionOf(ctx).run()
	if err != nil {
		return err
	}
	defer done()
	job, files, err := s.recvJob(stream)
	if err == nil {
		out := &runSink{stream: stream}
		err = s.transfer.Run(ctx, job, files, out.result, out.progress)
		err = errors.Join(err, out.close())
	}
	fault, err := outcome(ctx, "transfer", err)
	if fault != nil {
		return stream.Send(&wirepb.RunReply{Error: fault})
	}
	return err
}

func (s *transferServer) recvJob(stream runStream) (job sdk.Job, files []sdk.File, err error) {
	seen := map[string]bool{}
	for first := true; ; first = false {
		m, err := stream.Recv()
		if errors.Is(err, io.EOF) && !first {
			return job, files, nil
		}
		if err != nil {
			return job, nil, err
		}
		if first != (m.Job != nil) {
			return job, nil, badInput("transfer", errors.New("exactly the first message has the job"))
		}
		if first {
			if job, err = jobFromWire(m.Job, s.transfer.Describe()); err != nil {
				return job, nil, badInput("transfer", err)
			}
		}
		if len(m.Files) > sdk.MaxBatch {
			return job, nil, badInput("transfer", fmt.Errorf("%d files in one message, more than %d", len(m.Files), sdk.MaxBatch))
		}
		for _, raw := range m.Files {
			f, err := fileFromWire(raw)
			if err == nil && seen[f.Name] {
				err = fmt.Errorf("file name %q is there twice", f.Name)
			}
			if err != nil {
				return job, nil, badInput("transfer", err)
			}
			seen[f.Name] = true
			files = append(files, f)
		}
	}
}

// runSink sends what a transfer method reports. The method may report results
// and progress from different goroutines.
type runSink struct {
	mu     sync.Mutex
	stream runStream
	err    error
	sent   time.Time
	moved  int64 // not sent yet, if not 0
}

func (r *runSink) send(m *wirepb.RunReply) {
	if r.moved != 0 {
		m.Moved, r.moved, r.sent = r.moved, 0, time.Now()
	}
	if r.err == nil {
		r.err = r.stream.Send(m)
	}
}

func (r *runSink) result(f sdk.FileResult) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.send(&wirepb.RunReply{Results: []*wirepb.FileResult{{Name: []byte(f.Name), Error: faultToWire(f.Err), Moved: f.Moved}}})
}

func (r *runSink) progress(moved int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.moved = moved
	if time.Since(r.sent) >= progressEvery {
		r.send(&wirepb.RunReply{})
	}
}

func (r *runSink) close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.moved != 0 {
		r.send(&wirepb.RunReply{})
	}
	return r.err
}
