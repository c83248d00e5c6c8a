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

// direct copies between two directories of this machine, in this process: a
// local file need not go through a protocol. Its methods may be called
// concurrently.
type direct struct {
	src, dst *localfs.Root
	mover    *Mover
	settler  settler
	noClone  atomic.Bool // the pair of filesystems cannot share blocks
	noRange  atomic.Bool // the kernel cannot copy between them by itself
}

// openDirect opens both roots, if they are what the drivers have open.
func openDirect(ctx context.Context, m *Mover) (*direct, error) {
	src, err := openSame(ctx, m.cfg.Source, localfs.Open)
	if err != nil {
		return nil, err
	}
	dst, err := openSame(ctx, m.cfg.Target, localfs.OpenWritable)
	if err != nil {
		return nil, errors.Join(err, src.Close())
	}
	return &direct{src: src, dst: dst, mover: m, settler: settler{root: src}}, nil
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

func (d *direct) close() error { return errors.Join(d.src.Close(), d.dst.Close()) }

// directBatch copies files one after the other. It is one worker's.
func (m *Mover) directBatch(ctx context.Context, items []item, done func(Result)) {
	w := directWorker{direct: m.direct, ctx: ctx}
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
