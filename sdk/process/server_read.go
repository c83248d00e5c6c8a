package process

import (
	"context"
	"errors"
	"time"

	"google.golang.org/grpc"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/wire"
	"github.com/gsyncd/gsyncd-host/sdk/wire/wirepb"
)

// readSink packs what a source reads. The order of calls is checked where it
// arrives.
type readSink struct{ queue eventQueue }

var _ sdk.ReadSink = (*readSink)(nil)

// BeginFile implements [sdk.ReadSink].
func (s *readSink) BeginFile(i int, before *sdk.Entry) error {
	if err := wire.Validate(before); err != nil {
		return err
	}
	row, err := wire.AppendEntryOrFault(nil, before)
	if err != nil {
		return err
	}
	return s.queue.add(&wirepb.FileEvent{Kind: wirepb.FileEvent_BEGIN, Index: uint32(i), Entry: row}, len(row))
}

// Data implements [sdk.ReadSink].
func (s *readSink) Data(off int64, p []byte) error { return s.queue.data(off, p) }

// EndFile implements [sdk.ReadSink].
func (s *readSink) EndFile(i int, after *sdk.Entry, fault *sdk.Error) error {
	e := &wirepb.FileEvent{Kind: wirepb.FileEvent_END, Index: uint32(i), Error: faultToWire(fault)}
	if after != nil {
		var err error
		if e.Entry, err = wire.AppendEntryOrFault(nil, after); err != nil {
			return err
		}
	}
	return s.queue.add(e, len(e.Entry))
}

// Read serves [sdk.Source.Read].
func (s *resourceServer) Read(m *wirepb.PathsRequest, stream grpc.ServerStreamingServer[wirepb.ReadReply]) error {
	fault, err := on(stream.Context(), m.Resource, "read", func(ctx context.Context, h *held) error {
		if h.source == nil {
			return noSource("read")
		}
		paths, _, err := pathsRequest(m, "read")
		if err != nil {
			return err
		}
		sink := &readSink{queue: eventQueue{sent: time.Now(), send: func(events []*wirepb.FileEvent) error {
			return stream.Send(&wirepb.ReadReply{Events: events})
		}}}
		return errors.Join(h.source.Read(ctx, paths, sink), sink.queue.flush())
	})
	if fault != nil {
		return stream.Send(&wirepb.ReadReply{Error: fault})
	}
	return err
}
