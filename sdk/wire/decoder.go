package wire

import (
	"fmt"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// ScanDecoder unpacks and checks the batches of a scan and hands what is in
// them to a sink. It is for one goroutine. An error is final.
type ScanDecoder struct {
	sink  sdk.ScanSink
	base  int
	order order
	entry sdk.Entry
}

// NewScanDecoder returns a decoder for a scan of dirs directories. The sink sees
// directory i of the scan as base+i. Entries do not share memory with a batch
// or with each other, but the Entry itself is used again.
func NewScanDecoder(dirs, base int, sink sdk.ScanSink) *ScanDecoder {
	return &ScanDecoder{sink: sink, base: base, order: order{dirs: dirs}}
}

// SinkError is an error of the sink, not of the rows.
type SinkError struct{ Err error }

// Error implements error.
func (e *SinkError) Error() string { return e.Err.Error() }

// Unwrap gives the sink's own error.
func (e *SinkError) Unwrap() error { return e.Err }

func sinkError(err error) error {
	if err == nil {
		return nil
	}
	return &SinkError{Err: err}
}

// Feed decodes one batch. A *SinkError is what the sink returned, any other
// error says that the batch is malformed.
func (d *ScanDecoder) Feed(batch []byte) error {
	c := Cursor{b: batch}
	for rows := 0; len(c.b) > 0; rows++ {
		if rows >= MaxRows {
			return fmt.Errorf("batch of more than %d rows", MaxRows)
		}
		kind, body, err := c.row()
		if err != nil {
			return fmt.Errorf("decode row: %w", err)
		}
		if err := d.row(kind, &body); err != nil {
			return err
		}
	}
	return nil
}

// Finish reports a scan that ended before all directories did.
func (d *ScanDecoder) Finish() error { return d.order.finish() }

func (d *ScanDecoder) row(kind byte, body *Cursor) error {
	switch kind {
	case rowEntry:
		if err := d.decode(body); err != nil {
			return err
		}
		if err := d.order.entry(d.entry.Name); err != nil {
			return err
		}
		return sinkError(d.sink.Entry(&d.entry))
	case rowBegin:
		i := d.index(body)
		if err := d.decode(body); err != nil {
			return err
		}
		if err := d.order.begin(i, &d.entry); err != nil {
			return err
		}
		return sinkError(d.sink.BeginDir(d.base+i, &d.entry))
	case rowEnd:
		i := d.index(body)
		fault, err := d.endFault(body)
		if err != nil {
			return fmt.Errorf("end of directory %d: %w", i, err)
		}
		if err := d.order.end(i, fault != nil); err != nil {
			return err
		}
		return sinkError(d.sink.EndDir(d.base+i, fault))
	}
	return fmt.Errorf("row of kind %d is not known", kind)
}

// index takes a directory's index; one that no int holds becomes -1.
func (d *ScanDecoder) index(body *Cursor) int {
	i := body.U32()
	if i > 1<<30 {
		return -1
	}
	return int(i)
}

func (d *ScanDecoder) decode(body *Cursor) error {
	if err := body.entry(&d.entry); err != nil {
		return fmt.Errorf("decode entry: %w", err)
	}
	if len(body.b) != 0 {
		return fmt.Errorf("entry %q: %d bytes too many", d.entry.Name, len(body.b))
	}
	return nil
}

func (d *ScanDecoder) endFault(body *Cursor) (*sdk.Error, error) {
	has := body.U8()
	if body.bad || has > 1 {
		return nil, errShort
	}
	var fault *sdk.Error
	if has == 1 {
		var err error
		if fault, err = body.fault(); err != nil {
			return nil, err
		}
	}
	if len(body.b) != 0 {
		return nil, fmt.Errorf("%d bytes too many", len(body.b))
	}
	return fault, nil
}
