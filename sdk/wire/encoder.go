package wire

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// ScanEncoder packs what a scan reports into batches. It is for one goroutine.
// An error is final: what was not sent by then is lost.
type ScanEncoder struct {
	emit  func(batch []byte) error
	buf   []byte
	rows  int
	order order
}

var _ sdk.ScanSink = (*ScanEncoder)(nil)

// NewScanEncoder returns an encoder for a scan of dirs directories. It calls
// emit with each batch, which is valid only during the call.
func NewScanEncoder(dirs int, emit func(batch []byte) error) *ScanEncoder {
	return &ScanEncoder{emit: emit, order: order{dirs: dirs}}
}

// BeginDir implements [sdk.ScanSink].
func (s *ScanEncoder) BeginDir(i int, self *sdk.Entry) error {
	if err := Validate(self); err != nil {
		return err
	}
	if err := s.order.begin(i, self); err != nil {
		return err
	}
	start := len(s.buf)
	b := binary.LittleEndian.AppendUint32(openRow(s.buf, rowBegin), uint32(i))
	return s.add(appendEntry(b, self), start)
}

// Entry implements [sdk.ScanSink]. An entry too large for a row, or one that has a
// good name and else breaks the rules, is sent as one that cannot be read, so that it
// stops only itself.
func (s *ScanEncoder) Entry(e *sdk.Entry) error {
	if err := Validate(e); err != nil {
		if !nameable(e) {
			return err
		}
		e = Unreadable(e.Name, err)
	}
	if err := s.order.entry(e.Name); err != nil {
		return err
	}
	start := len(s.buf)
	err := s.add(appendEntry(openRow(s.buf, rowEntry), e), start)
	if errors.Is(err, ErrRowTooLong) {
		return s.add(appendEntry(openRow(s.buf, rowEntry), Unreadable(e.Name, err)), start)
	}
	return err
}

// EndDir implements [sdk.ScanSink].
func (s *ScanEncoder) EndDir(i int, fault *sdk.Error) error {
	if err := s.order.end(i, fault != nil); err != nil {
		return err
	}
	start := len(s.buf)
	b := binary.LittleEndian.AppendUint32(openRow(s.buf, rowEnd), uint32(i))
	if fault == nil {
		return s.add(append(b, 0), start)
	}
	return s.add(appendFault(append(b, 1), fault), start)
}

// Flush sends what is packed so far.
func (s *ScanEncoder) Flush() error {
	if s.rows == 0 {
		return nil
	}
	err := s.emit(s.buf)
	s.buf, s.rows = s.buf[:0], 0
	return err
}

// Close flushes and reports a scan that left out directories.
func (s *ScanEncoder) Close() error {
	if err := s.Flush(); err != nil {
		return err
	}
	if err := s.order.finish(); err != nil {
		return fmt.Errorf("close scan: %w", err)
	}
	return nil
}

// add takes over the buffer b, in which a row was begun at start.
func (s *ScanEncoder) add(b []byte, start int) error {
	b, err := closeRow(b, start)
	if err != nil {
		s.buf = b
		return err
	}
	if len(b) > MaxBatchBytes && start > 0 {
		// The row goes into the next batch.
		s.buf = b[:start]
		row := append([]byte(nil), b[start:]...)
		if err := s.Flush(); err != nil {
			return err
		}
		b = append(s.buf, row...)
	}
	s.buf = b
	s.rows++
	if s.rows >= MaxRows || len(s.buf) >= MaxBatchBytes {
		return s.Flush()
	}
	return nil
}
