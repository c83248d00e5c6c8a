package mover

import (
	"bytes"
	"errors"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// errShort says that a file is not as long as it was.
var errShort = errors.New("file became shorter or longer")

// data copies a file's data and holes. t is empty.
func (w *directWorker) data(t, f *os.File, size int64) error {
	from, to := int(f.Fd()), int(t.Fd())
	switch {
	case size == 0:
		return w.ctx.Err()
	case size < bufferSize:
		b, err := w.small(from, int(size))
		if err != nil {
			w.side = sdk.Primary
			return err
		}
		if b != nil {
			return w.put(to, b, 0)
		}
	default:
		if w.clone(to, from) {
			w.moved = size
			w.mover.cfg.Progress(size)
			return nil
		}
	}
	end, err := extents(from, size, func(start, stop int64) error { return w.span(to, from, start, stop) })
	if err == nil && end < size {
		err = unix.Ftruncate(to, size)
	}
	return err
}

// put writes p at off, when it may go.
func (w *directWorker) put(to int, p []byte, off int64) error {
	if err := w.mover.bucket.take(w.ctx, len(p)); err != nil {
		return err
	}
	if err := pwrite(to, p, off); err != nil {
		return err
	}
	w.count(len(p))
	return nil
}

// hasZeroPage reports whether a page of b, which may be a hole, is all zeros.
func hasZeroPage(b []byte) bool {
	var zeroPage [4096]byte
	for len(b) >= len(zeroPage) {
		if b[0] == 0 && b[len(zeroPage)-1] == 0 && bytes.Equal(b[:len(zeroPage)], zeroPage[:]) {
			return true
		}
		b = b[len(zeroPage):]
	}
	return false
}

// clone lets the two files share their blocks, where the filesystem can.
func (w *directWorker) clone(to, from int) bool {
	if w.noClone.Load() {
		return false
	}
	err := unix.IoctlFileClone(to, from)
	switch err {
	case nil:
		return true
	case unix.EOPNOTSUPP, unix.EXDEV, unix.ENOTTY, unix.ENOSYS:
		w.noClone.Store(true)
	}
	return false
}

// span copies the bytes from start to stop.
func (w *directWorker) span(to, from int, start, stop int64) error {
	const most = 1 << 20
	for off := start; off < stop; {
		if !w.noRange.Load() {
			n := w.mover.bucket.piece(int(min(stop-off, most)))
			in, out := off, off
			got, err := unix.CopyFileRange(from, &in, to, &out, n, 0)
			switch {
			case err == unix.EINTR:
				continue
			case err == unix.EXDEV || err == unix.EOPNOTSUPP || err == unix.ENOSYS || err == unix.EINVAL:
				w.noRange.Store(true)
				continue
			case err != nil:
				w.side = 0
				return err
			case got == 0:
				return errShort
			}
			if err := w.mover.bucket.take(w.ctx, got); err != nil {
				return err
			}
			w.count(got)
			off += int64(got)
			continue
		}
		want := w.mover.bucket.piece(int(min(stop-off, bufferSize)))
		n, err := pread(from, w.buf[:want], off, want)
		if err != nil {
			w.side = sdk.Primary
			return err
		}
		if n == 0 {
			return errShort
		}
		if err := w.put(to, w.buf[:n], off); err != nil {
			return err
		}
		off += int64(n)
	}
	return nil
}

func (w *directWorker) count(n int) {
	w.moved += int64(n)
	w.mover.cfg.Progress(int64(n))
}

// equal compares the file with the one called name on the secondary.
func (w *directWorker) equal(f *os.File, name string, size int64) (bool, error) {
	other, err := w.to.OpenFile(name)
	if err != nil {
		return false, nil // whatever is there, it is not this file
	}
	defer other.Close()
	before, err := w.dst.StatFile(other)
	if err != nil || before.Size != size {
		return false, err
	}
	half := bufferSize / 2
	for off := int64(0); off < size; {
		n := int(min(int64(half), size-off))
		a, err := pread(int(f.Fd()), w.buf[:n], off, n)
		if err != nil {
			return false, err
		}
		b, err := pread(int(other.Fd()), w.buf[half:half+n], off, n)
		if err != nil || a != n || b != n || !bytes.Equal(w.buf[:n], w.buf[half:half+n]) {
			return false, err
		}
		if err := w.ctx.Err(); err != nil {
			return false, err
		}
		off += int64(n)
	}
	after, err := w.dst.StatFile(other)
	return err == nil && sameVersion(&before, &after), err
}

func seek(fd int, off int64, whence int) (int64, error) { return unix.Seek(fd, off, whence) }

// pread reads until there are enough bytes in p or the file ends.
func pread(fd int, p []byte, off int64, enough int) (int, error) {
	n := 0
	for n < enough {
		got, err := unix.Pread(fd, p[n:], off+int64(n))
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return n, err
		}
		if got == 0 {
			break
		}
		n += got
	}
	return n, nil
}

func pwrite(fd int, p []byte, off int64) error {
	for len(p) > 0 {
		n, err := unix.Pwrite(fd, p, off)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return err
		}
		if n == 0 {
			return io.ErrShortWrite
		}
		p, off = p[n:], off+int64(n)
	}
	return nil
}
