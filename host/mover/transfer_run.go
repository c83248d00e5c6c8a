package mover

import (
	"context"
	"crypto/rand"
	"log/slog"
	"slices"
	"strconv"
	"time"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// transferRun is one run of a plugin over a batch. It is one goroutine's, but
// for the calls of the plugin, which come while that waits.
type transferRun struct {
	mover   *Mover
	plugin  sdk.Transfer
	start   int    // which start of the plugin this is
	name    string // the plugin's
	done    func(Result)
	dir     sdk.Path
	files   []*transferFile
	again   []item            // that changed meanwhile
	instead map[string][]item // to be streamed, by the reason
}

// transferFile is one file of the run.
type transferFile struct {
	item
	entry sdk.Entry // on the primary, before the run
	name  string    // in the job's directory
	basis bool
	told  bool // the plugin told result
	made  sdk.FileResult
}

func (r *transferRun) out(f *transferFile) sdk.Path { return r.dir.Join(sdk.JobOut).Join(f.name) }

// fail is for what another method could not do either. side is as [Result] has it.
func (r *transferRun) fail(side sdk.Role, it *item, err *sdk.Error) {
	r.done(Result{Job: it.Job, Method: r.name, Reason: it.reason, Err: err, Side: side})
}

// failed decides what becomes of a file that was not made.
func (r *transferRun) failed(side sdk.Role, it *item, err *sdk.Error) {
	switch err.Kind {
	case sdk.KindChanged:
		r.again = append(r.again, *it)
	case sdk.KindNotExist, sdk.KindNoSpace:
		r.fail(side, it, err)
	default:
		r.mover.log.Info("the transfer method did not make a file", slog.String("path", string(it.Path)), slog.Any("error", err))
		why := fallReason(err)
		r.instead[why] = append(r.instead[why], *it)
	}
}

// drop removes the files that keep says no to from the run.
func (r *transferRun) drop(keep func(*transferFile) bool) {
	r.files = slices.DeleteFunc(r.files, func(f *transferFile) bool { return !keep(f) })
}

func (r *transferRun) run(ctx context.Context, items []item) {
	files, entries := r.mover.describe(ctx, items, func(it *item, err *sdk.Error) { r.fail(sdk.Primary, it, err) })
	for i := range files {
		r.files = append(r.files, &transferFile{item: files[i], entry: entries[i], name: strconv.Itoa(i)})
	}
	if len(r.files) == 0 {
		return
	}
	r.dir = sdk.Path(sdk.ReservedPrefix + "job-" + rand.Text())
	defer r.clear()
	r.prepare(ctx)
	start := time.Now()
	r.move(ctx)
	if ctx.Err() != nil {
		return
	}
	seconds := time.Since(start).Seconds()
	r.checkSource(ctx)
	r.checkTarget(ctx)
	r.place(ctx, seconds)
}

// prepare makes the job's directory and links the earlier versions into it.
func (r *transferRun) prepare(ctx context.Context) {
	ops := []sdk.Op{
		{Kind: sdk.OpMkdir, Path: r.dir},
		{Kind: sdk.OpMkdir, Path: r.dir.Join(sdk.JobBasis)},
		{Kind: sdk.OpMkdir, Path: r.dir.Join(sdk.JobOut)},
	}
	directories := len(ops)
	for _, f := range r.files {
		if f.Old != nil {
			ops = append(ops, sdk.Op{Kind: sdk.OpLink, From: f.Path, Path: r.dir.Join(sdk.JobBasis).Join(f.name)})
		}
	}
	results, err := r.apply(ctx, ops)
	for i := 0; err == nil && i < directories; i++ {
		err = results[i].Err
	}
	if err != nil {
		r.drop(func(f *transferFile) bool {
			r.failed(sdk.Secondary, &f.item, sdk.NewError("prepare", f.Path, err))
			return false
		})
		return
	}
	next := directories
	r.drop(func(f *transferFile) bool {
		if f.Old == nil {
			return true
		}
		lerr := results[next].Err
		next++
		f.basis = lerr == nil
		if lerr != nil && lerr.Kind != sdk.KindNotExist {
			// Without its earlier version it would cross whole, which the stream
			// does better.
			if lerr.Kind == sdk.KindChanged {
				lerr.Kind = sdk.KindTransient
			}
			r.failed(sdk.Secondary, &f.item, lerr)
			return false
		}
		return true
	})
}

// apply does operations on the target. Its results are as many as ops. An
// error is an *sdk.Error, so that nil stays nil.
func (r *transferRun) apply(ctx context.Context, ops []sdk.Op) ([]sdk.OpResult, *sdk.Error) {
	var all []sdk.OpResult
	for len(ops) > 0 {
		part := ops[:min(len(ops), sdk.MaxBatch)]
		results, err := r.mover.cfg.Target.Apply(ctx, part)
		if err != nil {
			return nil, sdk.NewError("apply", r.dir, err)
		}
		if len(results) != len(part) {
			return nil, &sdk.Error{Op: "apply", Path: r.dir, Msg: "the target told of fewer operations than asked for"}
		}
		all = append(all, results...)
		ops = ops[len(part):]
	}
	return all, nil
}

// move has the plugin make the files.
func (r *transferRun) move(ctx context.Context) {
	if len(r.files) == 0 {
		return
	}
	byName := make(map[string]*transferFile, len(r.files))
	ask := make([]sdk.File, 0, len(r.files))
	for _, f := range r.files {
		byName[f.name] = f
		ask = append(ask, sdk.File{Name: f.name, Path: f.Path, Size: f.entry.Size, ID: f.entry.ID, Basis: f.basis})
	}
	m := r.mover
	job := sdk.Job{Source: m.cfg.Source.Info().Endpoint, Target: m.cfg.Target.Info().Endpoint, Dir: r.dir, Config: m.config(r.plugin)}
	shown := int64(0)
	err := r.plugin.Run(ctx, job, ask, func(res sdk.FileResult) {
		if f := byName[res.Name]; f != nil && !f.told {
			f.told, f.made = true, res
			m.bucket.charge(res.Moved) // the streams make up for it
		}
	}, func(n int64) {
		if n > shown {
			m.cfg.Progress(n - shown)
			shown = n
		}
	})
	if ctx.Err() != nil {
		return
	}
	switch sdk.KindOf(err) {
	case sdk.KindGone:
		m.lost(r.start)
	case sdk.KindUnsupported:
		m.unsupported(r.name, err)
	}
	r.drop(func(f *transferFile) bool {
		switch {
		case f.told && f.made.Err == nil:
			return true
		case f.told:
			r.failed(0, &f.item, f.made.Err)
		case err != nil:
			r.failed(0, &f.item, sdk.NewError(r.name, f.Path, err))
		default:
			r.failed(0, &f.item, &sdk.Error{Op: r.name, Path: f.Path, Msg: "the transfer method told no result"})
		}
		return false
	})
}

func (r *transferRun) clear() {
	// What could not be removed is found by the next crawl. The run's own
	// context may have ended, which is one more reason to tidy up.
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	results, err := r.apply(ctx, []sdk.Op{{Kind: sdk.OpRemoveTree, Path: r.dir}})
	if err == nil {
		err = results[0].Err
	}
	if err != nil {
		r.mover.log.Warn("a job's directory is left behind", slog.String("path", string(r.dir)), slog.Any("error", err))
	}
}
