package mover

import (
	"errors"
	"os"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/localfs"
)

// directWorker copies files for one goroutine.
type directWorker struct {
	*direct
	nearReader
	to    *localfs.Dir // open if from is
	bare  bool         // what is made in to has no extended attributes
	moved int64        // bytes written for the present file
	side  sdk.Role     // whose error it is if what is being done fails; 0 if that is not known
}

// enter opens the directories of a job's files.
func (w *directWorker) enter(dir sdk.Path) error {
	if w.from != nil && w.dir == dir {
		return nil
	}
	w.leave()
	w.side = sdk.Primary
	if err := w.nearReader.enter(dir); err != nil {
		return err
	}
	w.side = sdk.Secondary
	to, err := w.dst.OpenPath(dir)
	if err != nil {
		w.leave()
		return err
	}
	w.to, w.bare = to, false
	if w.served {
		// One question for each directory saves one for each file.
		inherits, err := to.Inherits()
		w.bare = !inherits && err == nil
	}
	return nil
}

func (w *directWorker) leave() {
	w.nearReader.leave()
	w.to.Close()
	w.to = nil
}

func (w *directWorker) release() {
	w.leave()
	w.nearReader.release()
}

// move makes one file, trying again while it changes.
func (w *directWorker) move(it *item) Result {
	r := Result{Job: it.Job, Method: Stream, Reason: it.reason}
	if r.Err = w.mover.full.err(&it.Job); r.Err != nil {
		return r
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
	r.Err, r.Busy = keepsChanging(it.Path), true
	return r
}

// once reads the file once. It asks to be called again if the file changed.
func (w *directWorker) once(r *Result) (again bool) {
	j := &r.Job
	r.Err, r.Side, r.Lost, r.Synced, w.moved = nil, 0, 0, false, 0
	fail := func(op string, err error) bool {
		r.Err, r.Side = sdk.NewError(op, j.Path, err), w.side
		return false
	}
	if err := w.enter(j.Path.Dir()); err != nil {
		return fail("open", err)
	}
	w.side = sdk.Primary
	name := j.Path.Base()
	f, before, err := w.open(name)
	if err != nil {
		return fail("read", err)
	}
	defer f.Close()
	r.Entry = before
	if j.Compare {
		w.side = 0
		equal, err := w.equal(f, j.Path.Base(), before.Size)
		if err != nil {
			return fail("compare", err)
		}
		if again, err := w.changed(f, &before); again || err != nil {
			return again || fail("compare", err)
		}
		if equal {
			r.Unchanged = true
			return false
		}
	}
	w.side = sdk.Secondary
	staged, perm := j.Staged.Base(), before.Perm
	meta := sdk.MetaOf(&before, sdk.MetaAll)
	if localfs.NeedsData(&meta) {
		perm = 0o600 // a list of who may read it comes after the data
	}
	t, err := w.to.CreateAs(staged, perm)
	if err != nil {
		return fail("create", err)
	}
	again, err = w.fill(t, f, &before, r)
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

// fill gives a new file its data and attributes. What can be set before the data
// is: right after it was made, what a server says of the file is known.
func (w *directWorker) fill(t, f *os.File, before *sdk.Entry, r *Result) (again bool, err error) {
	meta := sdk.MetaOf(before, sdk.MetaAll)
	late := localfs.NeedsData(&meta)
	if !late {
		early := meta
		early.Mask &^= sdk.MetaMtime
		if w.bare {
			early.Mask &^= sdk.MetaXattrs
		}
		if r.Lost, err = w.dst.SetMeta(t, &early); err != nil {
			return false, err
		}
	}
	switch err := w.data(t, f, before.Size); {
	case errors.Is(err, errShort):
		return true, nil
	case err != nil:
		return false, err
	}
	w.side = sdk.Primary
	if again, err := w.changed(f, before); again || err != nil {
		return again, err
	}
	w.side = sdk.Secondary
	if late {
		r.Lost, err = w.dst.SetMeta(t, &meta)
	} else {
		var lost sdk.Lost
		lost, err = w.dst.SetMtime(t, meta.Mtime)
		r.Lost |= lost
	}
	if err == nil && w.fsync {
		err = t.Sync()
		r.Synced = err == nil
	}
	return false, err
}
