package mover

import (
	"context"
	"errors"
	"os"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/localfs"
)

// near reads a primary that is a directory of this machine, in this process: a
// local file need not go through a protocol to be read. Its methods may be called
// concurrently.
type near struct {
	root    *localfs.Root
	settler settler
}

// openNear opens the primary's root, if it is what its driver has open.
func openNear(ctx context.Context, source sdk.Source) (*near, error) {
	root, err := openSame(ctx, source, localfs.Open)
	if err != nil {
		return nil, err
	}
	return &near{root: root, settler: settler{root: root}}, nil
}

func (n *near) close() error { return n.root.Close() }

// changed reports whether a file is no longer as it was before.
func (n *near) changed(f *os.File, before *sdk.Entry) (bool, error) {
	after, err := n.root.StatFile(f)
	return err == nil && !sameVersion(before, &after), err
}

// read sends files as [sdk.Source.Read] does; what BeginFile is told has the
// extended attributes.
func (n *near) read(ctx context.Context, paths []sdk.Path, sink sdk.ReadSink) error {
	r := nearReader{near: n, ctx: ctx}
	defer r.release()
	for i, p := range paths {
		if err := r.send(i, p, sink); err != nil {
			return err
		}
	}
	return nil
}

// send sends one file. Its error is the sink's or the context's.
func (r *nearReader) send(i int, p sdk.Path, sink sdk.ReadSink) error {
	bad := func(err error) error {
		if err := r.ctx.Err(); err != nil {
			return err
		}
		return sink.EndFile(i, nil, sdk.NewError("read", p, err))
	}
	if err := r.enter(p.Dir()); err != nil {
		return bad(err)
	}
	f, before, err := r.open(p.Base())
	if err != nil {
		return bad(err)
	}
	defer f.Close()
	if err := sink.BeginFile(i, &before); err != nil {
		return err
	}
	var sinkErr error
	err = r.data(f, before.Size, func(off int64, b []byte) error {
		sinkErr = sink.Data(off, b)
		return sinkErr
	})
	switch {
	case sinkErr != nil:
		return sinkErr
	case errors.Is(err, errShort):
		return sink.EndFile(i, nil, nil) // torn, whatever its times say
	case err != nil:
		return bad(err)
	}
	after, err := r.near.root.StatFile(f)
	if err != nil {
		return bad(err)
	}
	return sink.EndFile(i, &after, nil)
}

// data hands over a file's data, piece by piece, without its holes.
func (r *nearReader) data(f *os.File, size int64, put func(off int64, b []byte) error) error {
	from := int(f.Fd())
	if size < bufferSize {
		b, err := r.small(from, int(size))
		if err != nil {
			return err
		}
		if b != nil {
			return put(0, b)
		}
	}
	_, err := extents(from, size, func(start, stop int64) error {
		for off := start; off < stop; {
			if err := r.ctx.Err(); err != nil {
				return err
			}
			want := int(min(stop-off, bufferSize))
			n, err := pread(from, r.buf[:want], off, want)
			if err != nil {
				return err
			}
			if n == 0 {
				return errShort
			}
			if err := put(off, r.buf[:n]); err != nil {
				return err
			}
			off += int64(n)
		}
		return nil
	})
	return err
}
