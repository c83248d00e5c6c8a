package wasm

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/wire"
)

// target is a target at the other side.
type target struct{ *resource }

var _ sdk.Target = (*target)(nil)

// Apply implements [sdk.Target]. After a sync that failed nothing more of the list
// is done, in whatever message it would be.
func (t *target) Apply(ctx context.Context, ops []sdk.Op) ([]sdk.OpResult, error) {
	if t.info.Features&sdk.SyncsInLists == 0 && slices.ContainsFunc(ops, func(o sdk.Op) bool { return o.Kind == sdk.OpSync }) {
		return nil, badInput("apply", errors.New("the target does not take sync in a list"))
	}
	results := make([]sdk.OpResult, 0, len(ops))
	var unsynced *sdk.Error
	err := wire.Split(ops, wire.OpSize, func(_ int, part []sdk.Op) error {
		if unsynced != nil {
			results = append(results, slices.Repeat([]sdk.OpResult{{Err: unsynced}}, len(part))...)
			return nil
		}
		request, err := wire.AppendOps(t.request(), part)
		if err == nil && len(request) > MaxMessage {
			err = fmt.Errorf("%d bytes of attributes are too many", len(request))
		}
		if err != nil {
			return badInput("apply", err)
		}
		return t.caller.Call(ctx, Apply, request, func(answer []byte) error {
			c := wire.NewCursor(answer)
			for i := range part {
				r, err := c.Result()
				if err != nil {
					return malformed("apply", fmt.Errorf("result %d: %w", i, err))
				}
				if r.Err != nil && r.Err.Path == "" {
					r.Err.Path = part[i].Path
				}
				if r.Err != nil && part[i].Kind == sdk.OpSync {
					unsynced = r.Err
				}
				results = append(results, r)
			}
			if err := c.Done(); err != nil {
				return malformed("apply", err)
			}
			return nil
		})
	})
	return results, err
}

// Sync implements [sdk.Target].
func (t *target) Sync(ctx context.Context) error {
	return t.caller.Call(ctx, Sync, t.request(), nil)
}

// Write implements [sdk.Target].
func (t *target) Write(ctx context.Context) (sdk.Writer, error) {
	w := &writer{caller: t.caller, ctx: ctx}
	err := t.caller.Call(ctx, Write, t.request(), func(answer []byte) error {
		c := wire.NewCursor(answer)
		if w.id = c.U32(); w.id == 0 || c.Done() != nil {
			return malformed("write", errors.New("no handle"))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return w, nil
}

// writer is the near end of a writer at the other side. Events of many small files
// go in one message.
type writer struct {
	caller Caller
	ctx    context.Context
	id     uint32
	events []byte // behind room for the handle
	open   bool
	begun  int
	err    error // final
}

var _ sdk.Writer = (*writer)(nil)

// do runs a step, unless the stream has failed already.
func (w *writer) do(check error, step func() error) error {
	if w.err != nil {
		return w.err
	}
	if w.err = w.ctx.Err(); w.err != nil {
		w.err = fmt.Errorf("write: %w", w.err)
	} else if check != nil {
		w.err = badInput("write", check)
	} else {
		w.err = step()
	}
	if w.err != nil {
		_ = w.caller.Call(context.WithoutCancel(w.ctx), Close, appendHandle(nil, w.id), nil)
	}
	return w.err
}

func (w *writer) flush() error {
	if len(w.events) == 0 {
		return nil
	}
	err := w.caller.Call(w.ctx, Put, append(appendHandle(nil, w.id), w.events...), nil)
	w.events = w.events[:0]
	return err
}

func (w *writer) added() error {
	if len(w.events) < gather {
		return nil
	}
	return w.flush()
}

// Begin implements [sdk.Writer].
func (w *writer) Begin(f sdk.NewFile) error {
	return w.do(wire.CheckNewFile(&f, w.open), func() (err error) {
		w.open = true
		w.begun++
		if w.events, err = wire.AppendWriteBegin(w.events, &f); err != nil {
			return badInput("write", err)
		}
		return w.added()
	})
}

// Data implements [sdk.Writer].
func (w *writer) Data(off int64, p []byte) error {
	var check error
	if !w.open || off < 0 || off+int64(len(p)) < off {
		check = fmt.Errorf("%d bytes at %d, where there is no file for them", len(p), off)
	}
	return w.do(check, func() error {
		for len(p) > 0 {
			part := p[:min(len(p), sdk.MaxChunk)]
			w.events = wire.AppendData(w.events, off, part)
			p, off = p[len(part):], off+int64(len(part))
			if err := w.added(); err != nil {
				return err
			}
		}
		return nil
	})
}

// End implements [sdk.Writer].
func (w *writer) End(keep bool) error {
	var check error
	if !w.open {
		check = errors.New("no file to end")
	}
	return w.do(check, func() error {
		w.open = false
		w.events = wire.AppendWriteEnd(w.events, keep)
		return w.added()
	})
}

// Close implements [sdk.Writer].
func (w *writer) Close() ([]sdk.OpResult, error) {
	var check error
	if w.open {
		check = errors.New("the stream ends inside a file")
	}
	results := make([]sdk.OpResult, 0, w.begun)
	err := w.do(check, func() error {
		if err := w.flush(); err != nil {
			return err
		}
		return Pull(w.ctx, w.caller, "write", Finish, appendHandle(nil, w.id), func(piece []byte) error {
			for c := wire.NewCursor(piece); c.More(); {
				r, err := c.Result()
				if err == nil && len(results) == w.begun {
					err = fmt.Errorf("more than %d results", w.begun)
				}
				if err != nil {
					return err
				}
				results = append(results, r)
			}
			return nil
		})
	})
	if err == nil && len(results) != w.begun {
		err = malformed("write", fmt.Errorf("%d results for %d files", len(results), w.begun))
	}
	if err != nil {
		return nil, err
	}
	w.err = badInput("write", errors.New("the stream is closed"))
	return results, nil
}
