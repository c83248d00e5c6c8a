package localtree

import (
	"context"
	"os"
	"sync"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/localfs"
)

// Write implements sdk.Target.
func (g *target) Write(ctx context.Context) (sdk.Writer, error) {
	if err := g.begin(ctx, "write"); err != nil {
		return nil, err
	}
	defer g.leave() // the target is not closed before the writer is known
	w := &writer{target: g, ctx: ctx, dirs: parents{root: g.root}}
	g.writersMu.Lock()
	defer g.writersMu.Unlock()
	g.writers[w] = true
	return w, nil
}

// writer makes files one after the other.
type writer struct {
	*target
	ctx     context.Context
	dirs    parents
	results []sdk.OpResult

	ending sync.Mutex // between Close and the target's end
	done   bool

	open bool // between Begin and End
	meta sdk.NewFile
	dir  *localfs.Dir
	name string
	file *os.File // nil once the file has failed
	end  int64    // where the data written so far ends
}

var _ sdk.Writer = (*writer)(nil)

// call begins a method: the stream's errors come from here alone. leave must be
// called.
func (w *writer) call(op string, open bool) error {
	if err := w.begin(w.ctx, op); err != nil {
		return err
	}
	if w.done || w.open != open {
		w.leave()
		return &sdk.Error{Kind: sdk.KindInput, Op: op, Msg: "out of order"}
	}
	return nil
}

// Begin implements sdk.Writer.
func (w *writer) Begin(f sdk.NewFile) error {
	if err := w.call("begin file", false); err != nil {
		return err
	}
	defer w.leave()
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
	if err := w.call("write data", true); err != nil {
		return err
	}
	defer w.leave()
	if w.file == nil {
		return nil // it has failed already: the rest goes nowhere
	}
	var err error
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
	if err := w.call("end file", true); err != nil {
		return err
	}
	defer w.leave()
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

// windUp lets go of all that the writer holds. It reports whether this was the
// first time.
func (w *writer) windUp() bool {
	w.ending.Lock()
	defer w.ending.Unlock()
	if w.done {
		return false
	}
	if w.open {
		w.finish(false)
	}
	w.dirs.close()
	w.done = true
	return true
}

// Close implements sdk.Writer. A file that was not ended is removed.
func (w *writer) Close() ([]sdk.OpResult, error) {
	if !w.windUp() {
		return w.results, nil
	}
	w.writersMu.Lock()
	delete(w.writers, w)
	w.writersMu.Unlock()
	if err := w.ctx.Err(); err != nil {
		return nil, err
	}
	return w.results, nil
}
