package localtree

import (
	"context"
	"os"

	"golang.org/x/sys/unix"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// young is the age below which a file may have pages that a program writes
// through a mapping. While such a page is dirty, more stores to it move no
// time; once it is being written back, the next store does.
const young = 60

// reader sends files to a sink, one after the other.
type reader struct {
	tree *tree
	sink sdk.ReadSink
	buf  []byte
}

// file sends one file. Its error is the sink's or the context's.
func (r *reader) file(ctx context.Context, c *parents, i int, p sdk.Path) error {
	bad := func(err error) error { return r.sink.EndFile(i, nil, sdk.NewError("read", p, err)) }
	d, name, err := c.of(p)
	if err != nil {
		return bad(err)
	}
	f, err := d.OpenFile(name)
	if err != nil {
		return bad(err)
	}
	defer f.Close()
	before, err := r.before(f, name)
	if err != nil {
		return bad(err)
	}
	if err := r.sink.BeginFile(i, &before); err != nil {
		return err
	}
	readErr, err := r.data(ctx, f, before.Size)
	if err != nil {
		return err
	}
	if readErr != nil {
		return bad(readErr)
	}
	after, err := r.tree.root.StatFile(f)
	if err != nil {
		return bad(err)
	}
	after.Name = name
	return r.sink.EndFile(i, &after, nil)
}

// before describes the file as it is before its first byte is read.
func (r *reader) before(f *os.File, name string) (sdk.Entry, error) {
	e, err := r.tree.root.StatFile(f)
	if err != nil {
		return e, err
	}
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_REALTIME_COARSE, &now); err != nil {
		return e, err
	}
	if e.Ctime.Sec > now.Sec-young {
		const start = unix.SYNC_FILE_RANGE_WAIT_BEFORE | unix.SYNC_FILE_RANGE_WRITE
		// A filesystem that cannot do it, or an old error of writing, is not the
		// reader's concern.
		_ = unix.SyncFileRange(int(f.Fd()), 0, 0, start)
		if e, err = r.tree.root.StatFile(f); err != nil {
			return e, err
		}
	}
	e.Name = name
	e.Xattrs, err = r.tree.root.FileXattrs(f)
	return e, err
}

// data sends what the file holds below size, hole by hole. The first error is
// the file's, the second ends the Read.
func (r *reader) data(ctx context.Context, f *os.File, size int64) (fileErr, err error) {
	fd := int(f.Fd())
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err, nil
	}
	if st.Blocks*512 >= size {
		_, fileErr, err := r.extent(ctx, f, 0, size)
		return fileErr, err
	}
	for off := int64(0); off < size; {
		start, err := unix.Seek(fd, off, unix.SEEK_DATA)
		switch err {
		case nil:
		case unix.ENXIO:
			return nil, nil // nothing but a hole up to the end
		case unix.EINVAL:
			_, fileErr, err := r.extent(ctx, f, off, size) // holes cannot be asked for
			return fileErr, err
		default:
			return err, nil
		}
		end, err := unix.Seek(fd, start, unix.SEEK_HOLE)
		if err != nil {
			if err == unix.ENXIO {
				return nil, nil // cut off meanwhile: the file is not as before
			}
			return err, nil
		}
		more, fileErr, err := r.extent(ctx, f, start, min(end, size))
		if fileErr != nil || err != nil || !more {
			return fileErr, err
		}
		off = end
	}
	return nil, nil
}

// extent sends the bytes from off to end. more is false where the file ended
// before.
func (r *reader) extent(ctx context.Context, f *os.File, off, end int64) (more bool, fileErr, err error) {
	if r.buf == nil {
		r.buf = make([]byte, sdk.MaxChunk)
	}
	for off < end {
		if err := ctx.Err(); err != nil {
			return false, nil, err
		}
		n, err := unix.Pread(int(f.Fd()), r.buf[:min(end-off, sdk.MaxChunk)], off)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return false, err, nil
		}
		if n == 0 {
			return false, nil, nil
		}
		if err := r.sink.Data(off, r.buf[:n]); err != nil {
			return false, nil, err
		}
		off += int64(n)
	}
	return true, nil, nil
}
