package mover

import (
	"context"
	"errors"
	"os"
	"sync"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/localfs"
)

// bufferSize is the size of a worker's buffer, and of the largest file that is
// read and written with one call each.
const bufferSize = 256 << 10

var buffers = sync.Pool{New: func() any { return new([bufferSize]byte) }}

// directWorker copies files for one goroutine, holding on to the directories of
// the last file: those of one directory come one after the other.
type directWorker struct {
	*direct
	ctx   context.Context
	buf   *[bufferSize]byte
	dir   sdk.Path
	from  *localfs.Dir
	to    *localfs.Dir
	moved int64 // bytes written for the present file
}

// enter opens the directories of a job's files.
func (w *directWorker) enter(dir sdk.Path) error {
	if w.from != nil && w.dir == dir {
		return nil
	}
	w.leave()
	from, err := w.src.OpenPath(dir)
	if err != nil {
		return err
	}
	to, err := w.dst.OpenPath(dir)
	if err != nil {
		from.Close()
		return err
	}
	w.dir, w.from, w.to = dir, from, to
	return nil
}

func (w *directWorker) leave() {
	w.from.Close()
	w.to.Close()
	w.from, w.to = nil, nil
}

func (w *directWorker) release() {
	w.leave()
	if w.buf != nil {
		buffers.Put(w.buf)
		w.buf = nil
	}
}

// move makes one file, trying again while it changes.
func (w *directWorker) move(it *item) Result {
	r := Result{Job: it.Job, Method: Stream, Reason: it.reason}
	if r.Err = w.mover.full.err(&it.Job); r.Err != nil {
		return r
	}
	if w.buf == nil {
		w.buf = buffers.Get().(*[bufferSize]byte)
	}
	for range attempts {
		again := w.once(&r)
		if !again {
			return r
		}
		if w.ctx.Err() != nil {
			r.Err = sdk.NewError("read", it.Path, w.ctx.Err())
			return r
		}
	}
	r.Err = keepsChanging(it.Path)
	return r
}

// once reads the file once. It asks to be called again if the file changed.
func (w *directWorker) once(r *Result) (again bool) {
	j := &r.Job
	r.Err, w.moved = nil, 0
	fail := func(op string, err error) bool {
		r.Err = sdk.NewError(op, j.Path, err)
		return false
	}
	if err := w.enter(j.Path.Dir()); err != nil {
		return fail("open", err)
	}
	name := j.Path.Base()
	f, err := w.from.OpenFile(name)
	if err != nil {
		return fail("read", err)
	}
	defer f.Close()
	before, err := w.src.StatFile(f)
	if err == nil {
		err = w.settler.settle(f, &before)
	}
	if err != nil {
		return fail("read", err)
	}
	before.Name = name
	if before.Xattrs, err = w.src.FileXattrs(f); err != nil {
		return fail("read", err)
	}
	r.Entry = before
	changed := func() (bool, error) {
		after, err := w.src.StatFile(f)
		return err == nil && !sameVersion(&before, &after), err
	}
	if j.Compare {
		equal, err := w.equal(f, j.Path.Base(), before.Size)
		if err != nil {
			return fail("compare", err)
		}
		if again, err := changed(); again || err != nil {
			return again || fail("compare", err)
		}
		if equal {
			r.Unchanged = true
			return false
		}
	}
	staged := j.Staged.Base()
	t, err := w.to.Create(staged)
	if err != nil {
		return fail("create", err)
	}
	again, err = w.fill(t, f, &before, r, changed)
	if cerr := t.Close(); err == nil && cerr != nil {
		err = cerr
	}
	if err != nil || again {
		_ = w.to.Unlink(staged) // the caller clears such names away too
		if err != nil {
			return fail("write", err)
		}
		return true
	}
	r.Bytes, r.Moved = before.Size, w.moved
	return false
}

func (w *directWorker) fill(t, f *os.File, before *sdk.Entry, r *Result, changed func() (bool, error)) (again bool, err error) {
	switch err := w.data(t, f, before.Size); {
	case errors.Is(err, errShort):
		return true, nil
	case err != nil:
		return false, err
	}
	if again, err := changed(); again || err != nil {
		return again, err
	}
	meta := sdk.MetaOf(before, sdk.MetaAll)
	r.Lost, err = w.dst.SetMeta(t, &meta)
	return false, err
}
