package process

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/grpc"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/wire/wirepb"
)

// readSink packs what a source reads. The order of calls is checked where it
// arrives.
type readSink struct{ queue eventQueue }

var _ sdk.ReadSink = (*readSink)(nil)

// BeginFile implements [sdk.ReadSink].
func (s *readSink) BeginFile(i int, before *sdk.Entry) error {
	row, err := appendEntry(nil, before)
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
		if e.Entry, err = appendEntry(nil, after); err != nil {
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

// fileOrder checks the sequence of a stream of files.
type fileOrder struct {
	open bool
	end  int64 // of the data so far
}

func (o *fileOrder) begin() error {
	if o.open {
		return errors.New("a file begins inside another")
	}
	*o = fileOrder{open: true}
	return nil
}

func (o *fileOrder) data(off int64, n int) error {
	switch {
	case !o.open:
		return errors.New("data outside of a file")
	case n > sdk.MaxChunk:
		return fmt.Errorf("%d bytes of data in one message, more than %d", n, sdk.MaxChunk)
	case off < o.end || off+int64(n) < off:
		return fmt.Errorf("data at %d after data up to %d", off, o.end)
	}
	o.end = off + int64(n)
	return nil
}
