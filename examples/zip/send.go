package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"hash/crc64"
	"io"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// block is the unit of holes.
const block = 4096

// summer makes a checksum of a file's data. Blocks of zeros do not count, so that
// a hole costs nothing to speak of.
type summer struct {
	table *crc64.Table
	zeros []byte
	at    int64
	sum   uint64
}

func newSummer() *summer {
	return &summer{table: crc64.MakeTable(crc64.ECMA), zeros: make([]byte, block)}
}

// add takes the next part. All parts but the last are whole blocks. Each run of
// blocks that are not empty is shown, by its place in p.
func (s *summer) add(p []byte, run func(from, to int) error) error {
	from := -1
	for i := 0; i < len(p); i += block {
		b := p[i:min(i+block, len(p))]
		if bytes.Equal(b, s.zeros[:len(b)]) {
			if from >= 0 {
				if err := run(from, i); err != nil {
					return err
				}
			}
			from = -1
			continue
		}
		if from < 0 {
			from = i
		}
		var place [8]byte
		binary.LittleEndian.PutUint64(place[:], uint64(s.at+int64(i)))
		s.sum = crc64.Update(crc64.Update(s.sum, s.table, place[:]), s.table, b)
	}
	s.at += int64(len(p))
	if from >= 0 {
		return run(from, len(p))
	}
	return nil
}

// errLength is the error of data that is not as long as declared.
var errLength = errors.New("its data is not as long as the archive declares")

// pour reads size bytes, and not one more, in pieces of up to len(buf), which is
// a multiple of block.
func pour(ctx context.Context, r io.Reader, size int64, buf []byte, piece func(p []byte) error) error {
	for left := size; left > 0; {
		if err := ctx.Err(); err != nil {
			return err
		}
		p := buf[:min(int64(len(buf)), left)]
		if _, err := io.ReadFull(r, p); err != nil {
			if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
				return errLength
			}
			return err
		}
		if err := piece(p); err != nil {
			return err
		}
		left -= int64(len(p))
	}
	// The reader compares checksums when it comes to the end.
	switch n, err := io.ReadFull(r, make([]byte, 1)); {
	case n > 0:
		return errLength
	case !errors.Is(err, io.EOF):
		return err
	}
	return nil
}

// sumOf reads a file and returns its checksum.
func sumOf(ctx context.Context, r io.Reader, size int64, buf []byte) (uint64, error) {
	s := newSummer()
	err := pour(ctx, r, size, buf, func(p []byte) error { return s.add(p, func(int, int) error { return nil }) })
	return s.sum, err
}

// send reads a file into a sink and returns its checksum. sinkErr is the sink's.
func send(ctx context.Context, r io.Reader, size int64, holes bool, buf []byte, sink sdk.ReadSink) (sum uint64, err, sinkErr error) {
	s := newSummer()
	err = pour(ctx, r, size, buf, func(p []byte) error {
		off := s.at
		data := func(from, to int) error {
			sinkErr = sink.Data(off+int64(from), p[from:to])
			return sinkErr
		}
		if holes {
			return s.add(p, data)
		}
		if err := s.add(p, func(int, int) error { return nil }); err != nil {
			return err
		}
		return data(0, len(p))
	})
	return s.sum, err, sinkErr
}
