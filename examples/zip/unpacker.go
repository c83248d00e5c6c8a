package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
)

// gzipMagic begins each part of a gzip file.
const gzipMagic = "\x1f\x8b"

// unpacker unpacks gzip, which may be several parts one behind the other. It ends
// where no further part begins; what is there instead can be read from packed.
type unpacker struct {
	packed *bufio.Reader
	part   *gzip.Reader
}

func newUnpacker(r io.Reader) (*unpacker, error) {
	packed := bufio.NewReaderSize(r, readAhead)
	part, err := gzip.NewReader(packed)
	if err != nil {
		return nil, err
	}
	part.Multistream(false)
	return &unpacker{packed, part}, nil
}

// Read implements io.Reader.
func (u *unpacker) Read(p []byte) (int, error) {
	for {
		n, err := u.part.Read(p)
		if !errors.Is(err, io.EOF) {
			return n, err
		}
		head, err := u.packed.Peek(len(gzipMagic))
		switch {
		case err != nil && !errors.Is(err, io.EOF):
			return n, err
		case !bytes.Equal(head, []byte(gzipMagic)):
			return n, io.EOF
		}
		if err := u.part.Reset(u.packed); err != nil {
			return n, err
		}
		u.part.Multistream(false)
		if n > 0 {
			return n, nil
		}
	}
}
