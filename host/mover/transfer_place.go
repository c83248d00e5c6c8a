package mover

import (
	"context"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// checkSource sorts out what changed while the plugin read it. The attributes
// that go to the secondary are those of the second look, which are the first's.
func (r *transferRun) checkSource(ctx context.Context) {
	r.look(ctx, r.mover.cfg.Source, sdk.FieldXattrs, func(f *transferFile) sdk.Path { return f.Path }, func(f *transferFile, e *sdk.Entry) bool {
		switch {
		case e.Err != nil:
			r.failed(sdk.Primary, &f.item, e.Err)
		case e.Type != sdk.TypeRegular:
			r.fail(sdk.Primary, &f.item, notRegular(f.Path, e.Type))
		case !sameVersion(&f.entry, e):
			r.again = append(r.again, f.item)
		default:
			f.entry = *e
			return true
		}
		return false
	})
}

// checkTarget believes what the secondary shows, not what the plugin says.
func (r *transferRun) checkTarget(ctx context.Context) {
	r.look(ctx, r.mover.cfg.Target, 0, r.out, func(f *transferFile, e *sdk.Entry) bool {
		var msg string
		switch {
		case e.Err != nil:
			msg = "the file is not there: " + e.Err.Error()
		case e.Type != sdk.TypeRegular:
			msg = "a " + e.Type.String() + " was made"
		case e.Size != f.entry.Size:
			msg = "the file made is of another size"
		case e.Nlink > 1 || (f.Old != nil && e.ID == f.Old.ID):
			msg = "the file made is the earlier version itself"
		default:
			return true
		}
		r.failed(sdk.Secondary, &f.item, &sdk.Error{Kind: sdk.KindTransient, Op: r.name, Path: f.Path, Msg: msg})
		return false
	})
}

// look asks for what a side shows of every file. Those that good says no to are
// out of the run: it has seen to what becomes of them.
func (r *transferRun) look(ctx context.Context, side sdk.Resource, fields sdk.Fields, path func(*transferFile) sdk.Path, good func(*transferFile, *sdk.Entry) bool) {
	if len(r.files) == 0 {
		return
	}
	paths := make([]sdk.Path, 0, len(r.files))
	for _, f := range r.files {
		paths = append(paths, path(f))
	}
	found, err := side.Stat(ctx, paths, fields)
	if err == nil && len(found) != len(paths) {
		err = &sdk.Error{Op: "stat", Msg: "the side told of fewer files than asked for"}
	}
	next := 0
	r.drop(func(f *transferFile) bool {
		if err != nil {
			r.fail(0, &f.item, sdk.NewError("stat", f.Path, err))
			return false
		}
		next++
		return good(f, &found[next-1])
	})
}

// place gives the files their attributes and their staged names.
func (r *transferRun) place(ctx context.Context, seconds float64) {
	if len(r.files) == 0 {
		return
	}
	var ops []sdk.Op
	var total int64
	for _, f := range r.files {
		ops = append(ops,
			sdk.Op{Kind: sdk.OpSetMeta, Path: r.out(f), Meta: sdk.MetaOf(&f.entry, sdk.MetaAll)},
			sdk.Op{Kind: sdk.OpRename, From: r.out(f), Path: f.Staged})
		total += f.entry.Size
	}
	results, err := r.apply(ctx, ops)
	for i, f := range r.files {
		if err != nil {
			r.fail(sdk.Secondary, &f.item, sdk.NewError("place", f.Path, err))
			continue
		}
		meta, rename := results[2*i], results[2*i+1]
		switch {
		case rename.Err != nil && rename.Err.Kind == sdk.KindChanged:
			// Not the primary's doing: something is in the way over there.
			r.fail(sdk.Secondary, &f.item, rename.Err)
		case rename.Err != nil:
			r.failed(sdk.Secondary, &f.item, rename.Err)
		case meta.Err != nil:
			_, _ = r.apply(ctx, []sdk.Op{{Kind: sdk.OpRemove, Path: f.Staged}})
			r.fail(sdk.Secondary, &f.item, meta.Err)
		default:
			if total > 0 {
				r.mover.choice.measured(true, &f.item, seconds*float64(f.entry.Size)/float64(total))
			}
			r.done(Result{
				Job: f.Job, Method: r.name, Reason: f.reason, Entry: f.entry, Lost: meta.Lost,
				Bytes: f.entry.Size, Moved: f.made.Moved,
			})
		}
	}
}
