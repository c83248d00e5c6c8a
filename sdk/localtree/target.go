package localtree

import (
	"context"
	"fmt"
	"os"
	"sync"
	"sync/atomic"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/localfs"
)

// target is the secondary side.
type target struct {
	*tree
	temps atomic.Uint64

	mountsMu sync.Mutex
	mounts   map[localfs.Place]*localfs.Dir // other filesystems that were written to
}

var _ sdk.Target = (*target)(nil)

// tempName is a name of ours that no other call uses.
func (g *target) tempName() string {
	return fmt.Sprintf("%sop.%d.%d", sdk.ReservedPrefix, os.Getpid(), g.temps.Add(1))
}

// writeTo returns an error if entries of d must not be changed, and notes its
// filesystem for Sync.
func (g *target) writeTo(d *localfs.Dir) error {
	place := d.Place()
	if place == g.root.Place() {
		return nil
	}
	if !g.set.CrossMounts {
		return &sdk.Error{Kind: sdk.KindUnsupported, Op: "change", Path: d.Path(), Msg: "another filesystem is mounted there, and cross_mounts is off"}
	}
	g.mountsMu.Lock()
	defer g.mountsMu.Unlock()
	if g.mounts[place] != nil {
		return nil
	}
	own, err := g.root.OpenDir(d.Path())
	if err != nil {
		return err
	}
	if own.Place() != place {
		own.Close()
		return &sdk.Error{Kind: sdk.KindChanged, Op: "change", Path: d.Path(), Msg: "the directory was replaced meanwhile"}
	}
	g.mounts[place] = own
	return nil
}

func (g *target) closeMounts() {
	for _, d := range g.mounts {
		d.Close()
	}
}

// Sync implements sdk.Target.
func (g *target) Sync(ctx context.Context) error {
	ctx, leave, err := g.enter(ctx, "sync")
	if err != nil {
		return err
	}
	defer leave()
	if g.set.Sync != nil {
		return g.set.Sync(ctx)
	}
	g.mountsMu.Lock()
	dirs := make([]*localfs.Dir, 0, len(g.mounts))
	for _, d := range g.mounts {
		dirs = append(dirs, d)
	}
	g.mountsMu.Unlock()
	for _, d := range dirs {
		if err := localfs.SyncFS(d.FD()); err != nil {
			return sdk.NewError("sync", d.Path(), err)
		}
	}
	return g.root.Sync()
}
