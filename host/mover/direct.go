package mover

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/localfs"
)

// direct copies between two directories of this machine, in this process. Its
// methods may be called concurrently.
type direct struct {
	dst     *localfs.Root
	mover   *Mover
	noClone atomic.Bool // the pair of filesystems cannot share blocks
	noRange atomic.Bool // the kernel cannot copy between them by itself
	served  bool        // a process or another machine answers for one of them
	fsync   bool        // the secondary wants the data of each file on the disk
}

// openDirect opens the secondary's root, if it is what its driver has open.
func openDirect(ctx context.Context, m *Mover) (*direct, error) {
	dst, err := openSame(ctx, m.cfg.Target, localfs.OpenWritable)
	if err != nil {
		return nil, err
	}
	return &direct{
		dst: dst, mover: m, served: served(m.near.root) || served(dst),
		fsync: m.cfg.Target.Info().Features&sdk.SyncsFiles != 0,
	}, nil
}

func openSame(ctx context.Context, r sdk.Resource, open func(string) (*localfs.Root, error)) (*localfs.Root, error) {
	id, err := r.Identity(ctx)
	if err != nil {
		return nil, fmt.Errorf("identify side: %w", err)
	}
	root, err := open(r.Info().Endpoint.Path)
	if err != nil {
		return nil, err
	}
	e, err := root.StatFD(root.FD())
	if err == nil && e.ID != id.Root {
		err = fmt.Errorf("%s is not the directory that the driver has open", root.Path())
	}
	if err != nil {
		return nil, errors.Join(err, root.Close())
	}
	return root, nil
}

// served reports whether each call to a filesystem waits for somebody's answer.
func served(r *localfs.Root) bool {
	fs, err := r.Filesystem()
	if err != nil {
		return false
	}
	switch fs.Type {
	case "fuse", "nfs", "cifs":
		return true
	}
	return false
}

// waitingJobs is how many files are copied for each job where most of the time
// goes by waiting.
const waitingJobs = 8

// jobs is how many workers copy at a time, of so many that may.
func (d *direct) jobs(most int) int {
	if d.served {
		return most * waitingJobs
	}
	return most
}

func (d *direct) close() error { return d.dst.Close() }

// directBatch copies files one after the other. It is one worker's.
func (m *Mover) directBatch(ctx context.Context, items []item, done func(Result)) {
	w := directWorker{direct: m.direct, nearReader: nearReader{near: m.near, ctx: ctx}}
	defer w.release()
	start := time.Now()
	for i := range items {
		it := &items[i]
		r := w.move(it)
		if ctx.Err() != nil && r.Err != nil {
			return
		}
		now := time.Now()
		seconds := now.Sub(start).Seconds()
		start = now
		m.stats.busy(Stream, seconds)
		if r.Err == nil && !r.Unchanged {
			m.choice.measured(false, it, seconds)
		}
		done(r)
	}
}
