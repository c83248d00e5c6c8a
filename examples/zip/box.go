package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/catalog"
)

// box is an archive that was looked through once, of whatever format.
type box interface {
	// reader begins to read some entries, which may be named twice.
	reader(refs []int) reader
}

// reader reads entries of a box. It is for one goroutine.
type reader interface {
	// data begins the data of entry ref and ends that of the one before. There
	// may be less or more than the entry declares: the caller checks that.
	data(ctx context.Context, ref int) (io.Reader, error)
	// right reports whether what was read of an entry is what was there when the
	// archive was looked through.
	right(ref int, sum uint64) bool
	// sparse reports whether the archive keeps the entry's holes.
	sparse(ref int) bool
	close()
}

// limits is how much of an archive is taken.
type limits struct {
	entries int64
	bytes   int64 // of all files together, as declared
	memory  int64 // for small files met out of order
}

// kind is an archive's format.
type kind uint8

const (
	notArchive kind = iota
	zipKind
	tarKind
	tarGzip
)

// kindOf tells a format by what is in the file, whatever its name.
func kindOf(f io.ReaderAt, size int64) (kind, error) {
	head := make([]byte, 512)
	n, err := f.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return notArchive, err
	}
	head = head[:n]
	switch {
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		return tarGzip, nil
	case bytes.HasPrefix(head, []byte("PK\x03\x04")), bytes.HasPrefix(head, []byte("PK\x05\x06")):
		return zipKind, nil
	case n == cap(head) && isTar(head):
		return tarKind, nil
	}
	// A zip may have a program in front of it. Its end tells.
	tail := make([]byte, min(size, 1<<16+22))
	if _, err := f.ReadAt(tail, size-int64(len(tail))); err != nil && !errors.Is(err, io.EOF) {
		return notArchive, err
	}
	if bytes.Contains(tail, []byte("PK\x05\x06")) {
		return zipKind, nil
	}
	return notArchive, nil
}

// index looks through an archive. What it adds to b is the tree.
func index(ctx context.Context, f io.ReaderAt, size int64, b *catalog.Builder, lim limits) (box, error) {
	kind, err := kindOf(f, size)
	switch {
	case err != nil:
		return nil, err
	case kind == notArchive:
		return nil, broken("it is neither a zip nor a tar archive, or not complete yet")
	case kind == zipKind:
		return indexZip(ctx, f, size, b, lim)
	}
	return indexTar(ctx, f, size, kind == tarGzip, b, lim)
}

// broken is the error of an archive that cannot be served as it is. It may be one
// that is still being written.
func broken(format string, args ...any) error {
	return &sdk.Error{Kind: sdk.KindTransient, Op: "read the archive", Msg: fmt.Sprintf(format, args...)}
}

// tooLarge is the error of an archive that is larger than the settings allow.
func tooLarge(attr string, limit int64) error {
	return &sdk.Error{Kind: sdk.KindFatal, Op: "read the archive", Msg: fmt.Sprintf("it holds more than %s allows, which is %d; raise that if the archive is to be trusted", attr, limit)}
}
