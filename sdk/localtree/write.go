package localtree

import (
	"context"
	"os"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/localfs"
)

// Write implements sdk.Target.
func (g *target) Write(ctx context.Context) (sdk.Writer, error) {
	_, leave, err := g.enter(ctx, "write")
	if err != nil {
		return nil, err
	}
	leave()
	return &writer{target: g, ctx: ctx, dirs: parents{root: g.root}}, nil
}

// writer makes files one after the other.
type writer struct {
	*target
	ctx     context.Context
	dirs    parents
	results []sdk.OpResult
	done    bool

	open bool // between Begin and End
	meta sdk.NewFile
	dir  *localfs.Dir
	name string
	file *os.File // nil once the file has failed
	end  int64    // where the data written so far ends
}

var _ sdk.Writer = (*writer)(nil)

// call begins a method: the stream's errors come from here alone.
func (w *writer) call(op string, open bool) (func(), error) {
	_, leave, err := w.enter(w.ctx, op)
	if err != nil {
		return nil, err
	}
	if w.done || w.open != open {
		leave()
		return nil, &sdk.Error{Kind: sdk.KindInput, Op: op, Msg: "out of order"}
	}
	return leave, nil
}

// Begin implements sdk.Writer.
func (w *writer) Begin(f sdk.NewFile) error {
	leave, err := w.call("begin file", false)
	if err != nil {
		return err
	}
	defer leave()
	w.open, w.meta, w.end = true, f, 0
	w.results = append(w.results, sdk.OpResult{})
	if err := w.create(f); err != nil {
		w.fail(err)
	}
	return nil
}

func (w *writer) create(f sdk.NewFile) (err error) {
	if f.Size < 0 {
		return &sdk.Error{Kind: sdk.KindInput, Op: "create", Path: f.Path, Msg: "negative size"}
	}
	if w.dir, w.name, err = w.dirs.of(f.Path); err != nil {
		return err
	}
	if err := w.writeTo(w.dir); err != nil {
		return err
	}
	w.file, err = w.dir.Create(w.name)
	return err
}

// Data implements sdk.Writer.
func (w *writer) Data(off int64, p []byte) error {
	leave, err := w.call("write data", true)
	if err != nil {
		return err
	}
	defer leave()
	if w.file == nil {
		return nil // it has failed already: the rest goes nowhere
	}
	switch {
	case off < w.end || off+int64(len(p)) > w.meta.Size || off+int64(len(p)) < off:
		err = &sdk.Error{Kind: sdk.KindInput, Op: "write", Path: w.meta.Path, Msg: "data out of place"}
	default:
		_, err = w.file.WriteAt(p, off)
	}
	if err != nil {
		w.fail(err)
		return nil
	}
	w.end = off + int64(len(p))
	return nil
}

// End implements sdk.Writer.
func (w *writer) End(keep bool) error {
	leave, err := w.call("end file", true)
	if err != nil {
		return err
	}
	defer leave()
	w.finish(keep)
	return nil
}

func (w *writer) finish(keep bool) {
	w.open = false
	if w.file == nil {
		return
	}
	if !keep {
		if err := w.discard(); err != nil {
			w.results[len(w.results)-1].Err = sdk.NewError("remove", w.meta.Path, err)
		}
		return
	}
	if err := w.complete(); err != nil {
		w.fail(err)
		return
	}
	w.file = nil
}

func (w *writer) complete() error {
	if w.end < w.meta.Size {
		if err := w.file.Truncate(w.meta.Size); err != nil {
			return err
		}
	}
	lost, err := w.root.SetMeta(w.file, &w.meta.Meta)
	w.results[len(w.results)-1].Lost = lost
	if err != nil {
		return err
	}
	// Quota and network filesystems may say only here that there is no room.
	return w.file.Close()
}

// fail makes err the open file's result and removes what is there of it.
func (w *writer) fail(err error) {
	w.results[len(w.results)-1].Err = sdk.NewError("write", w.meta.Path, err)
	if w.file != nil {
		// The result says already that the file is not there.
		_ = w.discard()
	}
}

func (w *writer) discard() error {
	w.file.Close()
	w.file = nil
	return w.dir.Unlink(w.name)
}

// Close implements sdk.Writer. A file that was not ended is removed.
func (w *writer) Close() ([]sdk.OpResult, error) {
	if w.done {
		return w.results, nil
	}
	if w.open {
		w.finish(false)
	}
	w.dirs.close()
	w.done = true
	if err := w.ctx.Err(); err != nil {
		return nil, err
	}
	return w.results, nil
}
