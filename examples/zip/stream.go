package main

import (
	"bufio"
	"bytes"
	"compress/flate"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// stream is the bytes of a tar archive, unpacked if need be. It can go forward to
// any place; backward only if the archive is not compressed, else it begins anew,
// as it does after an error: the file may be readable by now.
type stream struct {
	file   io.ReaderAt
	size   int64
	packed bool
	most   int64 // bytes after which an archive is not gone on with

	r      io.Reader
	at     int64
	zeros  int  // zero bytes right before at, as far as somebody counts
	failed bool // r gave an error, which it may well give for ever
}

const (
	readAhead = 256 << 10
	// nearby is how far a stream that could jump rather reads on.
	nearby = 64 << 10
)

// seek goes to a place.
func (s *stream) seek(ctx context.Context, to int64) error {
	switch {
	case s.r != nil && !s.failed && to >= s.at && (s.packed || to-s.at <= nearby):
	case s.packed:
		unpacked, err := newUnpacker(io.NewSectionReader(s.file, 0, s.size))
		if err != nil {
			return err
		}
		s.r, s.at, s.failed = unpacked, 0, false
	default:
		s.r, s.at, s.failed = bufio.NewReaderSize(io.NewSectionReader(s.file, to, s.size-to), readAhead), to, false
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
	s.failed = err != nil && !errors.Is(err, io.EOF)
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

// maxPadding is the most zeros behind a tar's end: it is filled up to a whole
// record, which is 10 KiB unless somebody wanted otherwise.
const maxPadding = 1 << 20

// drain reads to the end, where a compressed archive has its checksum. Nothing may
// follow the end of the tar but what fills it up. More is a further archive, whose
// entries nobody would see, or an archive that is being written into room that was
// made for it.
func (s *stream) drain(ctx context.Context) error {
	if err := padding(ctx, s); err != nil {
		return err
	}
	if u, ok := s.r.(*unpacker); ok {
		return padding(ctx, u.packed)
	}
	return nil
}

// padding reads what is left, which is to be zeros and not too many.
func padding(ctx context.Context, r io.Reader) error {
	buf := make([]byte, readAhead)
	for seen := 0; ; {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := r.Read(buf)
		if len(bytes.TrimLeft(buf[:n], "\x00")) > 0 {
			return broken("it goes on behind its end; is another archive appended to it, or is it still being written?")
		}
		if seen += n; seen > maxPadding {
			return broken("more than %d zero bytes follow its end; is it still being written?", maxPadding)
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
	}
}

func isPackError(err error) bool {
	var corrupt flate.CorruptInputError
	return errors.Is(err, gzip.ErrHeader) || errors.Is(err, gzip.ErrChecksum) || errors.As(err, &corrupt)
}
