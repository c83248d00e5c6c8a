package localtree

import (
	"context"
	"errors"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// fsyncRenamed writes the data of files of ours that are about to be renamed to
// the disk. An element of the result is the reason why an operation must not be
// done.
func (g *target) fsyncRenamed(ctx context.Context, ops []sdk.Op) []error {
	errs := make([]error, len(ops))
	todo := make(chan int)
	var wg sync.WaitGroup
	for range min(g.set.FsyncRenamed, len(ops)) {
		wg.Go(func() {
			for i := range todo {
				errs[i] = g.fsync(ops[i].From)
			}
		})
	}
	for i := range ops {
		if ops[i].Kind == sdk.OpRename && !ops[i].Synced && ours(ops[i].From) && ops[i].Validate() == nil && ctx.Err() == nil {
			todo <- i
		}
	}
	close(todo)
	wg.Wait()
	return errs
}

// ours reports whether a path leads to an entry of the program's own, or below.
func ours(p sdk.Path) bool {
	return strings.HasPrefix(string(p), sdk.ReservedPrefix) || strings.Contains(string(p), "/"+sdk.ReservedPrefix)
}

// fsync writes a file's data to the disk. That there is no file is the business
// of whoever renames it.
func (g *target) fsync(p sdk.Path) error {
	f, err := g.root.OpenFile(p)
	switch sdk.KindOf(err) {
	case sdk.KindNotExist, sdk.KindChanged:
		return nil
	}
	if err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		f.Close()
		return sdk.NewError("sync", p, err)
	}
	if err := f.Close(); err != nil && !errors.Is(err, unix.EINTR) {
		return err
	}
	return nil
}
