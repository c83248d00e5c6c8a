package process

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/wire"
	"github.com/gsyncd/gsyncd-host/sdk/wire/wirepb"
)

// sourceClient is a source at the other end of a connection.
type sourceClient struct{ *resourceClient }

var _ sdk.Source = (*sourceClient)(nil)

// Beacon implements [sdk.Source].
func (s *sourceClient) Beacon(ctx context.Context) (sdk.Beacon, error) {
	var m *wirepb.BeaconReply
	err := s.link.call(ctx, "read clock", s.link.timeouts.Call, func(ctx context.Context) (err error) {
		m, err = s.rpc.Beacon(ctx, s.request())
		return err
	})
	if err != nil {
		return sdk.Beacon{}, err
	}
	if fault := faultFromWire(m.Error); fault != nil {
		return sdk.Beacon{}, fault
	}
	if m.NowNsec >= 1e9 || m.Window < 0 {
		return sdk.Beacon{}, badReply("read clock", errors.New("time out of range"))
	}
	index, err := volumeMarkFromWire(m.Index)
	if err != nil {
		return sdk.Beacon{}, badReply("read clock", err)
	}
	return sdk.Beacon{Now: sdk.Time{Sec: m.NowSec, Nsec: m.NowNsec}, Window: time.Duration(m.Window), Index: index}, nil
}

// Read implements [sdk.Source].
func (s *sourceClient) Read(ctx context.Context, paths []sdk.Path, sink sdk.ReadSink) error {
	return wire.Split(paths, wire.PathSize, func(first int, part []sdk.Path) error {
		w := watch(ctx, s.link.timeouts.Work)
		defer w.end()
		stream, err := s.rpc.Read(w.ctx, &wirepb.PathsRequest{Resource: s.id, Paths: pathsToWire(part)})
		if err != nil {
			return s.link.failure(w, "read", err)
		}
		in := readFeed{sink: sink, base: first, files: len(part)}
		for {
			m, err := recv(w, stream)
			if errors.Is(err, io.EOF) {
				if in.order.Open || in.next != in.files {
					return badReply("read", fmt.Errorf("stream ends at file %d of %d", in.next, in.files))
				}
				return nil
			}
			if err != nil {
				return s.link.failure(w, "read", err)
			}
			if fault := faultFromWire(m.Error); fault != nil {
				return s.fault(w, "read", fault)
			}
			for _, e := range m.Events {
				if err := in.event(e); err != nil {
					return err
				}
			}
		}
	})
}

// readFeed checks events and passes them to a sink.
type readFeed struct {
	sink  sdk.ReadSink
	base  int
	files int
	next  int // the file that is open or comes next
	order wire.FileOrder
}

func (f *readFeed) event(e *wirepb.FileEvent) error {
	switch e.Kind {
	case wirepb.FileEvent_BEGIN:
		var before sdk.Entry
		if err := f.begin(e, &before); err != nil {
			return badReply("read", err)
		}
		return f.sink.BeginFile(f.base+f.next, &before)
	case wirepb.FileEvent_DATA:
		if err := f.order.Data(e.Offset, len(e.Data)); err != nil {
			return badReply("read", err)
		}
		return f.sink.Data(e.Offset, e.Data)
	case wirepb.FileEvent_END:
		after, err := f.end(e)
		if err != nil {
			return badReply("read", err)
		}
		f.next++
		return f.sink.EndFile(f.base+f.next-1, after, faultFromWire(e.Error))
	}
	return badReply("read", fmt.Errorf("event %d is not known", e.Kind))
}

func (f *readFeed) place(e *wirepb.FileEvent) error {
	if f.next >= f.files || uint64(e.Index) != uint64(f.next) {
		return fmt.Errorf("file %d of %d where %d belongs", e.Index, f.files, f.next)
	}
	return nil
}

func (f *readFeed) begin(e *wirepb.FileEvent, before *sdk.Entry) error {
	if err := f.place(e); err != nil {
		return err
	}
	if err := f.order.Begin(); err != nil {
		return err
	}
	if err := oneEntry(e.Entry, before); err != nil {
		return err
	}
	if before.Type != sdk.TypeRegular {
		return fmt.Errorf("%q is a %s", before.Name, before.Type)
	}
	return nil
}

func (f *readFeed) end(e *wirepb.FileEvent) (*sdk.Entry, error) {
	if err := f.place(e); err != nil {
		return nil, err
	}
	if e.Error == nil && (!f.order.Open || len(e.Entry) == 0) {
		return nil, fmt.Errorf("file %d ends without a beginning, a description or an error", e.Index)
	}
	f.order.Open = false
	if len(e.Entry) == 0 {
		return nil, nil
	}
	after := &sdk.Entry{}
	return after, oneEntry(e.Entry, after)
}

func oneEntry(row []byte, e *sdk.Entry) error {
	rest, err := wire.NextEntry(row, e)
	if err == nil && len(rest) != 0 {
		err = errors.New("more than one entry")
	}
	return err
}
