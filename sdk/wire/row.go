package wire

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/gsyncd/gsyncd-host/sdk"
)

const (
	// MaxRows is the most rows of a batch.
	MaxRows = sdk.MaxBatch
	// MaxBatchBytes is the longest batch of several rows.
	MaxBatchBytes = 1 << 20
	// MaxRow is the longest row. It is beyond MaxBatchBytes: a file may have
	// many extended attributes of 64 KiB each, and its row then travels alone.
	MaxRow = 4 << 20
)

// ErrRowTooLong is the error of an entry whose row would exceed MaxRow.
var ErrRowTooLong = errors.New("attributes too large for one row")

const (
	rowBegin = 1 + iota
	rowEntry
	rowEnd
	rowHead = 5 // kind and length
)

// openRow appends the head of a row, whose length closeRow fills in.
func openRow(b []byte, kind byte) []byte { return append(b, kind, 0, 0, 0, 0) }

// closeRow ends the row that begins at start. One too long is taken back.
func closeRow(b []byte, start int) ([]byte, error) {
	n := len(b) - start - rowHead
	if n > MaxRow {
		return b[:start], fmt.Errorf("row of %d bytes: %w", n, ErrRowTooLong)
	}
	binary.LittleEndian.PutUint32(b[start+1:], uint32(n))
	return b, nil
}

// row takes a row off the front.
func (c *Cursor) row() (kind byte, body Cursor, err error) {
	kind = c.U8()
	n := c.U32()
	if n > MaxRow {
		return 0, Cursor{}, fmt.Errorf("row of %d bytes", n)
	}
	body.b = c.Take(int(n))
	if c.bad {
		return 0, Cursor{}, errShort
	}
	return kind, body, nil
}

// AppendEntry appends an entry row. On an error b is returned as it was.
func AppendEntry(b []byte, e *sdk.Entry) ([]byte, error) {
	if err := Validate(e); err != nil {
		return b, err
	}
	start := len(b)
	out, err := closeRow(appendEntry(openRow(b, rowEntry), e), start)
	if err != nil {
		return b, fmt.Errorf("entry %q: %w", e.Name, err)
	}
	return out, nil
}

// NextEntry takes an entry row off the front of b and returns what follows it.
// What e then holds does not share memory with b.
func NextEntry(b []byte, e *sdk.Entry) (rest []byte, err error) {
	c := Cursor{b: b}
	kind, body, err := c.row()
	switch {
	case err != nil:
		return nil, err
	case kind != rowEntry:
		return nil, fmt.Errorf("row of kind %d where an entry belongs", kind)
	}
	if err := body.entry(e); err != nil {
		return nil, err
	}
	if len(body.b) != 0 {
		return nil, fmt.Errorf("entry %q: %d bytes too many", e.Name, len(body.b))
	}
	return c.b, nil
}

// nameable reports whether an entry can be spoken of: who lists a directory must
// know what there is, also if it cannot be described.
func nameable(e *sdk.Entry) bool { return e.Name == "." || sdk.ValidateName(e.Name) == nil }

// Unreadable is the row to send instead of an entry that cannot be sent itself.
func Unreadable(name string, cause error) *sdk.Entry {
	return &sdk.Entry{Name: name, Err: &sdk.Error{Kind: sdk.KindUnsupported, Op: "describe", Msg: cause.Error()}}
}
