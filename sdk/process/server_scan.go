package process

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/grpc"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/wire"
	"github.com/gsyncd/gsyncd-host/sdk/wire/wirepb"
)

// scanSink packs rows and does not let few of them wait for many.
type scanSink struct {
	*wire.ScanEncoder
	sent time.Time
}

// EndDir implements [sdk.ScanSink].
func (s *scanSink) EndDir(i int, err *sdk.Error) error {
	if err := s.ScanEncoder.EndDir(i, err); err != nil {
		return err
	}
	if time.Since(s.sent) < lag {
		return nil
	}
	s.sent = time.Now()
	return s.Flush()
}

func fieldsFromWire(n uint32) (sdk.Fields, error) {
	if n&^uint32(wire.FieldsKnown) != 0 {
		return 0, fmt.Errorf("fields %#x are not known", n)
	}
	return sdk.Fields(n), nil
}

func pathsRequest(m *wirepb.PathsRequest, op string) ([]sdk.Path, sdk.Fields, error) {
	paths, err := pathsFromWire(m.Paths)
	if err != nil {
		return nil, 0, badInput(op, err)
	}
	fields, err := fieldsFromWire(m.Fields)
	if err != nil {
		return nil, 0, badInput(op, err)
	}
	return paths, fields, nil
}

// Scan serves [sdk.Resource.Scan].
func (s *resourceServer) Scan(m *wirepb.PathsRequest, stream grpc.ServerStreamingServer[wirepb.RowsReply]) error {
	fault, err := on(stream.Context(), m.Resource, "scan", func(ctx context.Context, h *held) error {
		dirs, fields, err := pathsRequest(m, "scan")
		if err != nil {
			return err
		}
		sink := &scanSink{sent: time.Now()}
		sink.ScanEncoder = wire.NewScanEncoder(len(dirs), func(rows []byte) error {
			return stream.Send(&wirepb.RowsReply{Rows: rows})
		})
		if err := h.resource.Scan(ctx, sdk.ScanRequest{Dirs: dirs, Fields: fields}, sink); err != nil {
			// What was listed before is good.
			return errors.Join(err, sink.Flush())
		}
		return sink.Close()
	})
	if fault != nil {
		return stream.Send(&wirepb.RowsReply{Error: fault})
	}
	return err
}

// Stat serves [sdk.Resource.Stat].
func (s *resourceServer) Stat(m *wirepb.PathsRequest, stream grpc.ServerStreamingServer[wirepb.RowsReply]) error {
	fault, err := on(stream.Context(), m.Resource, "stat", func(ctx context.Context, h *held) error {
		paths, fields, err := pathsRequest(m, "stat")
		if err != nil {
			return err
		}
		entries, err := h.resource.Stat(ctx, paths, fields)
		if err != nil {
			return err
		}
		if len(entries) != len(paths) {
			return fmt.Errorf("%d entries for %d paths", len(entries), len(paths))
		}
		return sendEntries(entries, func(rows []byte) error { return stream.Send(&wirepb.RowsReply{Rows: rows}) })
	})
	if fault != nil {
		return stream.Send(&wirepb.RowsReply{Error: fault})
	}
	return err
}

func sendEntries(entries []sdk.Entry, send func([]byte) error) error {
	var rows []byte
	for i := range entries {
		row, err := wire.AppendEntryOrFault(nil, &entries[i])
		if err != nil {
			return err
		}
		if len(rows) > 0 && len(rows)+len(row) > wire.MaxBatchBytes {
			if err := send(rows); err != nil {
				return err
			}
			rows = rows[:0]
		}
		rows = append(rows, row...)
	}
	if len(rows) == 0 {
		return nil
	}
	return send(rows)
}
