package main

import (
	"bufio"
	"compress/flate"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// stream is the bytes of a tar archive, unpacked if need be. It can go forward to
// any place; backward only if the archive is not compressed, else it begins anew.
type stream struct {
	file   io.ReaderAt
	size   int64
	packed bool
	most   int64 // bytes after which an archive is not gone on with

	r     io.Reader
	at    int64
	zeros int // zero bytes right before at, as far as somebody counts
}

const (
	readAhead = 256 << 10
	// nearby is how far a stream that could jump rather reads on.
	nearby = 64 << 10
)

// seek goes to a place.
func (s *stream) seek(ctx context.Context, to int64) error {
	switch {
	case s.r != nil && to >= s.at && (s.packed || to-s.at <= nearby):
	case s.packed:
		unpacked, err := gzip.NewReader(bufio.NewReaderSize(io.NewSectionReader(s.file, 0, s.size), readAhead))
		if err != nil {
			return err
		}
		s.r, s.at = unpacked, 0
	default:
		s.r, s.at = bufio.NewReaderSize(io.NewSectionReader(s.file, to, s.size-to), readAhead), to
	}
	for s.at < to {
		if err := ctx.Err(); err != nil {
			return err
		}
		if _, err := io.CopyN(io.Discard, s, min(to-s.at, sdk.MaxChunk)); err != nil {
			return err
		}
	}
	return nil
}

// Read implements io.Reader.
func (s *stream) Read(p []byte) (int, error) {
	if s.at >= s.most {
		return 0, &sdk.Error{Kind: sdk.KindFatal, Op: "read the archive", Msg: fmt.Sprintf("it unpacks to more than %d bytes, far beyond %s", s.most, attrBytes)}
	}
	n, err := s.r.Read(p)
	s.at += int64(n)
	zeros := 0
	for zeros < n && p[n-1-zeros] == 0 {
		zeros++
	}
	if zeros == n {
		zeros += s.zeros
	}
	s.zeros = zeros
	return n, err
}

// drain reads to the end, where a compressed archive has its checksum. What
// follows the compressed data is nobody's business.
func (s *stream) drain(ctx context.Context) error {
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		_, err := io.CopyN(io.Discard, s, sdk.MaxChunk)
		if errors.Is(err, io.EOF) || errors.Is(err, gzip.ErrHeader) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func isPackError(err error) bool {
	var corrupt flate.CorruptInputError
	return errors.Is(err, gzip.ErrHeader) || errors.Is(err, gzip.ErrChecksum) || errors.As(err, &corrupt)
}
