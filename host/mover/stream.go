package mover

import (
	"context"
	"time"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// streamBatch moves files through both drivers, all in one stream each way. It
// calls sent, perhaps more than once, when all is sent and only results are due.
func (m *Mover) streamBatch(ctx context.Context, items []item, sent func(), done func(Result)) {
	pending := m.refuseFull(items, Stream, done)
	for n := 0; len(pending) > 0; n++ {
		if n == attempts {
			for i := range pending {
				done(Result{Job: pending[i].Job, Method: Stream, Reason: pending[i].reason, Err: keepsChanging(pending[i].Path), Busy: true})
			}
			return
		}
		start := time.Now()
		pending = m.streamOnce(ctx, pending, sent, done)
		m.stats.busy(Stream, time.Since(start).Seconds())
	}
}

// refuseFull fails those for which the secondary has no room, and returns the
// others.
func (m *Mover) refuseFull(items []item, method string, done func(Result)) []item {
	rest := items[:0:0]
	for i := range items {
		if err := m.full.err(&items[i].Job); err != nil {
			done(Result{Job: items[i].Job, Method: method, Reason: items[i].reason, Err: err})
			continue
		}
		rest = append(rest, items[i])
	}
	return rest
}

// streamOnce returns the files that changed while they were read.
func (m *Mover) streamOnce(ctx context.Context, items []item, sent func(), done func(Result)) (again []item) {
	fail := func(side sdk.Role, it *item, err *sdk.Error) {
		done(Result{Job: it.Job, Method: Stream, Reason: it.reason, Err: err, Side: side})
	}
	unread := func(it *item, err *sdk.Error) { fail(sdk.Primary, it, err) }
	files, entries, read := items, make([]sdk.Entry, len(items)), m.cfg.Source.Read
	if m.near != nil {
		read = m.near.read
	} else if files, entries = m.describe(ctx, items, unread); len(files) == 0 {
		return nil
	}
	w, err := m.cfg.Target.Write(ctx)
	if err != nil {
		for i := range files {
			fail(sdk.Secondary, &files[i], sdk.NewError("write", files[i].Path, err))
		}
		return nil
	}
	p := &pump{ctx: ctx, mover: m, w: w, files: files, entries: entries, near: m.near != nil, states: make([]pumped, len(files))}
	paths := make([]sdk.Path, len(files))
	for i := range files {
		paths[i] = files[i].Path
	}
	readErr := read(ctx, paths, p)
	sent()
	results, writeErr := w.Close()
	if p.err != nil {
		writeErr = p.err
	}
	var clear []sdk.Op
	for i := range files {
		it, st := &files[i], &p.states[i]
		r := Result{Job: it.Job, Method: Stream, Reason: it.reason, Entry: entries[i], Moved: st.moved, Side: sdk.Secondary}
		switch {
		case st.err != nil:
			r.Err, r.Side = st.err, sdk.Primary
		case st.begun && st.slot < len(results) && results[st.slot].Err != nil:
			r.Err = results[st.slot].Err
		case st.torn:
			again = append(again, *it)
			continue
		case writeErr != nil && st.slot >= len(results):
			r.Err = sdk.NewError("write", it.Path, writeErr)
		case !st.ended:
			r.Err, r.Side = &sdk.Error{Op: "read", Path: it.Path, Msg: "the source sent no end of it"}, sdk.Primary
			if readErr != nil {
				r.Err = sdk.NewError("read", it.Path, readErr)
			}
		case st.slot >= len(results):
			r.Err = &sdk.Error{Op: "write", Path: it.Path, Msg: "the target told no result"}
		default:
			r.Lost, r.Bytes = results[st.slot].Lost, entries[i].Size
		}
		if r.Err != nil && st.begun {
			clear = append(clear, sdk.Op{Kind: sdk.OpRemove, Path: it.Staged})
		} else if r.Err == nil {
			m.choice.measured(false, it, st.seconds)
		}
		done(r)
	}
	if len(clear) > 0 && ctx.Err() == nil {
		_, _ = m.cfg.Target.Apply(ctx, clear) // the writer did it already where all is well
	}
	return again
}

// describe looks at the files on the primary. It drops those that cannot be
// moved, with their result.
func (m *Mover) describe(ctx context.Context, items []item, fail func(*item, *sdk.Error)) ([]item, []sdk.Entry) {
	paths := make([]sdk.Path, len(items))
	for i := range items {
		paths[i] = items[i].Path
	}
	found, err := m.cfg.Source.Stat(ctx, paths, sdk.FieldXattrs)
	if err == nil && len(found) != len(paths) {
		err = &sdk.Error{Op: "stat", Msg: "the source told of fewer files than asked for"}
	}
	if err != nil {
		for i := range items {
			fail(&items[i], sdk.NewError("stat", items[i].Path, err))
		}
		return nil, nil
	}
	files, entries := items[:0:0], found[:0:0]
	for i := range items {
		e := &found[i]
		switch {
		case e.Err != nil:
			fail(&items[i], e.Err)
		case e.Type != sdk.TypeRegular:
			fail(&items[i], notRegular(items[i].Path, e.Type))
		default:
			files, entries = append(files, items[i]), append(entries, *e)
		}
	}
	return files, entries
}
