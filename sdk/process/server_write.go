package process

import (
	"context"
	"errors"
	"fmt"
	"io"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/wire"
	"github.com/gsyncd/gsyncd-host/sdk/wire/wirepb"
)

type writeStream = grpc.BidiStreamingServer[wirepb.WriteRequest, wirepb.WriteReply]

// Write serves [sdk.Target.Write].
func (s *resourceServer) Write(stream writeStream) error {
	first, err := stream.Recv()
	if err != nil {
		return err
	}
	fault, err := on(stream.Context(), first.Resource, "write", func(ctx context.Context, h *held) error {
		if h.target == nil {
			return noTarget("write")
		}
		w, err := h.target.Write(ctx)
		if err != nil {
			return err
		}
		var results []sdk.OpResult
		if further, ok := w.(*writer); ok {
			results, err = further.relay(first, stream)
		} else {
			results, err = writeFiles(w, first, stream)
		}
		if err != nil {
			return err
		}
		return sendResults(results, stream)
	})
	if fault != nil {
		return stream.Send(&wirepb.WriteReply{Error: fault})
	}
	return err
}

// writeFiles feeds a writer until the client ends its side, and closes it in
// any case.
func writeFiles(w sdk.Writer, first *wirepb.WriteRequest, stream writeStream) (results []sdk.OpResult, err error) {
	in := writeFeed{w: w}
	for _, e := range first.Events {
		if err = in.event(e); err != nil {
			break
		}
	}
	for more := true; more && err == nil; {
		more, err = in.next(stream)
	}
	if err != nil {
		in.abandon()
		return nil, err
	}
	if in.open {
		in.abandon()
		return nil, badInput("write", errors.New("the stream ends inside a file"))
	}
	results, err = w.Close()
	if err == nil && len(results) != in.begun {
		err = fmt.Errorf("%d results for %d files", len(results), in.begun)
	}
	return results, err
}

// writeFeed checks events and passes them to a writer.
type writeFeed struct {
	w     sdk.Writer
	open  bool
	begun int
}

// next takes one message more, if there is one. Its memory is used again, so
// nothing of it is kept: a writer copies data, and attributes are decoded ones.
func (f *writeFeed) next(stream writeStream) (more bool, err error) {
	var m sealed
	err = stream.RecvMsg(&m)
	if errors.Is(err, io.EOF) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	buf := joined(m.data)
	m.data.Free()
	defer buf.Free()
	return true, eachEvent(buf.ReadOnlyData(), f.event)
}

func (f *writeFeed) event(e *wirepb.FileEvent) error {
	switch e.Kind {
	case wirepb.FileEvent_BEGIN:
		meta, err := metaFromWire(e.Meta)
		if err != nil {
			return badInput("write", err)
		}
		file := sdk.NewFile{Path: sdk.Path(e.Path), Size: e.Size, Meta: meta}
		if err := wire.CheckNewFile(&file, f.open); err != nil {
			return badInput("write", err)
		}
		f.open = true
		f.begun++
		return f.w.Begin(file)
	case wirepb.FileEvent_DATA:
		if err := wire.CheckData(e.Offset, len(e.Data), f.open); err != nil {
			return badInput("write", err)
		}
		return f.w.Data(e.Offset, e.Data)
	case wirepb.FileEvent_END:
		if !f.open {
			return badInput("write", errors.New("no file to end"))
		}
		f.open = false
		return f.w.End(e.Keep)
	}
	return badInput("write", fmt.Errorf("event %d is not known", e.Kind))
}

// abandon closes the writer after an error; what that leads to is of no use.
func (f *writeFeed) abandon() {
	if f.open {
		_ = f.w.End(false)
	}
	_, _ = f.w.Close()
}

func sendResults(results []sdk.OpResult, stream writeStream) error {
	m, bytes := &wirepb.WriteReply{}, 0
	for _, r := range results {
		out := resultToWire(r, "")
		bytes += proto.Size(out) + 8
		if len(m.Results) > 0 && (len(m.Results) >= sdk.MaxBatch || bytes > wire.MaxRequest) {
			if err := stream.Send(m); err != nil {
				return err
			}
			m, bytes = &wirepb.WriteReply{}, proto.Size(out)+8
		}
		m.Results = append(m.Results, out)
	}
	if len(m.Results) == 0 {
		return nil
	}
	return stream.Send(m)
}
