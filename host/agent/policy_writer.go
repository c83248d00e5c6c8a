package agent

import (
	"context"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// Write implements [sdk.Target].
func (t *guardedTarget) Write(ctx context.Context) (sdk.Writer, error) {
	w, err := t.Target.Write(ctx)
	if err != nil || !t.policy.keeps() && t.quota == nil {
		return w, err
	}
	return &guardedWriter{inner: w, target: t, ctx: ctx}, nil
}

// guardedWriter leaves out the files that a policy forbids.
type guardedWriter struct {
	inner    sdk.Writer
	target   *guardedTarget
	ctx      context.Context
	refusals []*sdk.Error // one a file begun; nil: the inner writer has it
	open     bool
	size     int64 // of the open file, as the quota knows it
}

var _ sdk.Writer = (*guardedWriter)(nil)

// Begin implements [sdk.Writer].
func (w *guardedWriter) Begin(f sdk.NewFile) error {
	if w.open {
		return &sdk.Error{Kind: sdk.KindInput, Op: "begin file", Path: f.Path, Msg: "out of order"}
	}
	w.open = true
	refusal := w.judge(&f)
	w.refusals = append(w.refusals, refusal)
	if refusal != nil {
		return nil
	}
	return w.inner.Begin(f)
}

func (w *guardedWriter) judge(f *sdk.NewFile) *sdk.Error {
	t := w.target
	if err := f.Path.Validate(); err != nil || f.Path == sdk.Root || f.Size < 0 {
		return &sdk.Error{Kind: sdk.KindInput, Op: "write", Msg: "unusable path or size"}
	}
	// A file that fails is removed by the name and directory that it began with:
	// the name must be of the program's own, and the directory one that stays.
	if t.policy.keeps() && (!sdk.Reserved(f.Path.Base()) || staged(f.Path.Dir())) {
		return t.policy.refuse("write", f.Path, "write but under a staged name")
	}
	if t.quota == nil {
		return nil
	}
	if err := t.quota.take(w.ctx, f.Size); err != nil {
		err.Path = f.Path
		return err
	}
	w.size = f.Size
	return nil
}

// refused reports whether the open file is left out.
func (w *guardedWriter) refused() bool {
	return w.open && w.refusals[len(w.refusals)-1] != nil
}

// Data implements [sdk.Writer].
func (w *guardedWriter) Data(off int64, p []byte) error {
	if w.refused() {
		return nil
	}
	if end := off + int64(len(p)); w.target.quota != nil && (off < 0 || end < off || end > w.size) {
		return &sdk.Error{Kind: sdk.KindInput, Op: "write data", Msg: "data beyond the file's end"}
	}
	return w.inner.Data(off, p)
}

// End implements [sdk.Writer].
func (w *guardedWriter) End(keep bool) error {
	refused := w.refused()
	w.open = false
	if refused {
		return nil
	}
	defer w.release()
	return w.inner.End(keep)
}

func (w *guardedWriter) release() {
	if w.target.quota != nil {
		w.target.quota.written(w.size)
	}
	w.size = 0
}

// Close implements [sdk.Writer].
func (w *guardedWriter) Close() ([]sdk.OpResult, error) {
	results, err := w.inner.Close()
	w.open = false
	w.release()
	if err != nil {
		return nil, err
	}
	out := make([]sdk.OpResult, len(w.refusals))
	for i, refusal := range w.refusals {
		switch {
		case refusal != nil:
			out[i].Err = refusal
		case len(results) == 0:
			return nil, &sdk.Error{Op: "write", Msg: "the driver told of fewer files than were begun"}
		default:
			out[i], results = results[0], results[1:]
		}
	}
	return out, nil
}
