package mover

import (
	"context"
	"os"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/localfs"
)

// bufferSize is the size of a reader's buffer; files below it are read with one
// call.
const bufferSize = 256 << 10

var buffers = sync.Pool{New: func() any { return new([bufferSize]byte) }}

// nearReader reads files for one goroutine, holding on to the directory of the
// last file: those of one directory come one after the other.
type nearReader struct {
	*near
	ctx  context.Context
	buf  *[bufferSize]byte
	dir  sdk.Path
	from *localfs.Dir
}

// enter opens the directory of a file.
func (r *nearReader) enter(dir sdk.Path) error {
	if r.from != nil && r.dir == dir {
		return nil
	}
	r.leave()
	from, err := r.near.root.OpenPath(dir)
	if err != nil {
		return err
	}
	r.dir, r.from = dir, from
	return nil
}

func (r *nearReader) leave() {
	r.from.Close()
	r.from = nil
}

func (r *nearReader) release() {
	r.leave()
	if r.buf != nil {
		buffers.Put(r.buf)
		r.buf = nil
	}
}

// open opens a file and describes it, with its extended attributes, as it is
// before its first byte is read.
func (r *nearReader) open(name string) (_ *os.File, before sdk.Entry, err error) {
	if r.buf == nil {
		r.buf = buffers.Get().(*[bufferSize]byte)
	}
	f, err := r.from.OpenFile(name)
	if err != nil {
		return nil, before, err
	}
	if before, err = r.near.root.StatFile(f); err == nil {
		err = r.settler.settle(f, &before)
	}
	before.Name = name
	if err == nil {
		before.Xattrs, err = r.near.root.FileXattrs(f)
	}
	if err != nil {
		f.Close()
		return nil, before, err
	}
	return f, before, nil
}

// small reads a file below bufferSize with one call. It returns nil for one that
// has to be read by its extents: empty, or with a page of zeros, as that may be a
// hole.
func (r *nearReader) small(from, size int) ([]byte, error) {
	buf := r.buf[:size+1] // one more, to see a file that grew without another call
	n, err := pread(from, buf, 0, size)
	if err != nil {
		return nil, err
	}
	if n != size {
		return nil, errShort
	}
	if n == 0 || hasZeroPage(buf[:n]) {
		return nil, nil
	}
	return buf[:n], nil
}

// extents calls span for what SEEK_DATA shows, and returns where that ends.
func extents(from int, size int64, span func(start, stop int64) error) (end int64, err error) {
	for off := int64(0); off < size; {
		start, err := seek(from, off, unix.SEEK_DATA)
		switch err {
		case nil:
		case unix.ENXIO:
			start = size
		default:
			start = off // it cannot tell holes
		}
		stop := size
		if start < size {
			if hole, err := seek(from, start, unix.SEEK_HOLE); err == nil && hole > start {
				stop = min(hole, size)
			}
			if err := span(start, stop); err != nil {
				return end, err
			}
			end = stop
		}
		off = stop
	}
	return end, nil
}
