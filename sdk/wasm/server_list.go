package wasm

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/wire"
)

const (
	// lag is how long what was gathered may wait while more comes slowly.
	lag = 50 * time.Millisecond
	// gather is how much of a stream of files is sent at once.
	gather = 256 << 10
)

// list starts a stream on a resource.
func (s *Server) list(ctx context.Context, b []byte, m Method, id uint32, h *held, c *wire.Cursor) ([]byte, error) {
	op := map[Method]string{Scan: "scan", Stat: "stat", Read: "read"}[m]
	r, err := h.resourceOf(op)
	if err != nil {
		return b, err
	}
	fields, paths, err := c.Paths()
	if err != nil {
		return b, badInput(op, err)
	}
	if far := further(r); far != nil && (m != Read || h.source != nil) {
		return s.startStream(ctx, b, id, func(ctx context.Context, out emit) error { return far.relay(ctx, op, m, fields, paths, out) })
	}
	switch m {
	case Scan:
		return s.startStream(ctx, b, id, func(ctx context.Context, out emit) error {
			sink := &scanSink{ScanEncoder: wire.NewScanEncoder(len(paths), out), sent: time.Now()}
			if err := r.Scan(ctx, sdk.ScanRequest{Dirs: paths, Fields: fields}, sink); err != nil {
				// What was listed before is good.
				return errors.Join(err, sink.Flush())
			}
			return sink.Close()
		})
	case Stat:
		return s.startStream(ctx, b, id, func(ctx context.Context, out emit) error {
			entries, err := r.Stat(ctx, paths, fields)
			if err == nil && len(entries) != len(paths) {
				err = fmt.Errorf("%d entries for %d paths", len(entries), len(paths))
			}
			if err != nil {
				return err
			}
			rows := NewRows(out)
			for i := range entries {
				if err := rows.Add(&entries[i]); err != nil {
					return err
				}
			}
			return rows.Flush()
		})
	}
	if h.source == nil {
		return b, noSource(op)
	}
	return s.startStream(ctx, b, id, func(ctx context.Context, out emit) error {
		sink := &readSink{out: out, sent: time.Now()}
		return errors.Join(h.source.Read(ctx, paths, sink), sink.flush())
	})
}

// further returns a resource that is behind another border.
func further(r sdk.Resource) *resource {
	switch r := r.(type) {
	case *source:
		return r.resource
	case *target:
		return r.resource
	}
	return nil
}

// relay passes on what comes from the other side as it came: nobody changed it on
// the way, and whoever asked checks it.
func (r *resource) relay(ctx context.Context, op string, m Method, fields sdk.Fields, paths []sdk.Path, out emit) error {
	request, err := r.paths(fields, paths)
	if err != nil {
		return badInput(op, err)
	}
	return Pull(ctx, r.caller, op, m, request, func(piece []byte) error {
		if err := out(piece); err != nil {
			return &wire.SinkError{Err: err}
		}
		return nil
	})
}

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

// Rows packs single entries.
type Rows struct {
	out  func([]byte) error
	rows []byte
}

// NewRows returns a packer that hands out pieces.
func NewRows(out func(piece []byte) error) *Rows { return &Rows{out: out} }

// Add packs one entry.
func (r *Rows) Add(e *sdk.Entry) error {
	at := len(r.rows)
	rows, err := wire.AppendEntryOrFault(r.rows, e)
	if err != nil {
		return err
	}
	if r.rows = rows; len(rows) <= wire.MaxBatchBytes || at == 0 {
		return nil
	}
	// The row goes into the next piece.
	last := append([]byte(nil), rows[at:]...)
	if err := r.out(rows[:at]); err != nil {
		return err
	}
	r.rows = append(rows[:0], last...)
	return nil
}

// Flush hands out what is packed.
func (r *Rows) Flush() error {
	if len(r.rows) == 0 {
		return nil
	}
	err := r.out(r.rows)
	r.rows = r.rows[:0]
	return err
}

// readSink packs what a source reads.
type readSink struct {
	out    emit
	events []byte
	sent   time.Time
}

// BeginFile implements [sdk.ReadSink].
func (s *readSink) BeginFile(i int, before *sdk.Entry) (err error) {
	s.events, err = wire.AppendReadBegin(s.events, i, before)
	return err
}

// Data implements [sdk.ReadSink].
func (s *readSink) Data(off int64, p []byte) error {
	for len(p) > 0 {
		part := p[:min(len(p), sdk.MaxChunk)]
		s.events = wire.AppendData(s.events, off, part)
		p, off = p[len(part):], off+int64(len(part))
		if len(s.events) >= gather {
			if err := s.flush(); err != nil {
				return err
			}
		}
	}
	return nil
}

// EndFile implements [sdk.ReadSink].
func (s *readSink) EndFile(i int, after *sdk.Entry, fault *sdk.Error) (err error) {
	if s.events, err = wire.AppendReadEnd(s.events, i, after, fault); err != nil {
		return err
	}
	if len(s.events) >= gather || time.Since(s.sent) > lag {
		return s.flush()
	}
	return nil
}

func (s *readSink) flush() error {
	if len(s.events) == 0 {
		return nil
	}
	err := s.out(s.events)
	s.events, s.sent = s.events[:0], time.Now()
	return err
}
