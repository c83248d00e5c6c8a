package gluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// brickPath finds the bricks in a pathinfo: "<POSIX(/brick):host:/brick/file>".
var brickPath = regexp.MustCompile(`<POSIX\(([^)]*)\):([^:>]*):`)

// barrier makes all durable that was done on a volume before: one file without a
// name on each part of it is written to and fsynced, and what a brick's journal
// got before goes to the disk with that. Its methods may be called concurrently.
type barrier struct {
	*mount
	mnt string

	mu     sync.Mutex
	files  []*os.File
	bricks []string // that the files cover
	count  int      // of the parts, then
	n      byte
	gen    string // of the bricks, when all was last known to be there
}

func newBarrier(m *mount) (*barrier, error) {
	b := &barrier{mount: m, mnt: m.tree()}
	now, err := readBricks(b.mnt, b.volume)
	if err != nil {
		return nil, err
	}
	b.gen = now.gen
	return b, b.build()
}

func (b *barrier) close() {
	if b == nil {
		return
	}
	for _, f := range b.files {
		f.Close()
	}
	b.files = nil
}

// bricksOf names the bricks that hold an object, sorted.
func bricksOf(path string) ([]string, error) {
	buf := make([]byte, 64<<10) // a hundred bytes for each brick
	n, err := unix.Lgetxattr(path, "trusted.glusterfs.pathinfo", buf)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, m := range brickPath.FindAllSubmatch(buf[:n], -1) {
		out = append(out, string(m[2])+":"+string(m[1]))
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

// parts says over which bricks the volume is spread, nothing where all files lie
// on the same, or where the volume does not tell (a disperse one). count is the
// number of its parts, 0 if that is not known.
func (b *barrier) parts() (on []string, count int, err error) {
	state, err := readBricks(b.mnt, b.volume)
	if err != nil || state.count == 1 {
		return nil, state.count, err
	}
	on, err = bricksOf(b.mnt)
	if err == unix.ENOMEM || err == unix.ENODATA || err == unix.EOPNOTSUPP {
		return nil, state.count, nil
	}
	return on, state.count, err
}

// blindly is how many files for each part are made where nobody tells on which
// part a file lies: that one gets none is as good as impossible.
const blindly = 12

// build makes the files: under names that fall where they fall, until all bricks
// of the root have one.
func (b *barrier) build() error {
	b.close()
	all, count, err := b.parts()
	if err != nil {
		return sdk.NewError("prepare sync", "", err)
	}
	defer keepTime(b.mnt)()
	tries := 50 + 20*len(all)
	switch {
	case count == 1:
		tries = 1
	case len(all) == 0:
		tries = blindly * max(count, 1)
	}
	missing := slices.Clone(all)
	for i := 0; i < tries && (len(missing) > 0 || len(all) == 0); i++ {
		f, on, err := b.file(i, len(all) > 0)
		if err != nil {
			b.close()
			return sdk.NewError("prepare sync", "", err)
		}
		before := len(missing)
		missing = slices.DeleteFunc(missing, func(brick string) bool { return slices.Contains(on, brick) })
		if len(missing) == before && len(all) > 0 {
			f.Close()
		} else {
			b.files = append(b.files, f)
		}
	}
	if len(b.files) == 0 {
		return &sdk.Error{Kind: sdk.KindTransient, Op: "prepare sync", Msg: "no new file comes to any of the bricks " + strings.Join(all, ", ")}
	}
	// A brick that gets no new files is about to be removed.
	b.bricks, b.count = all, count
	return nil
}

// file makes a file without a name, and with where says which bricks hold it.
func (b *barrier) file(i int, where bool) (f *os.File, on []string, err error) {
	path := filepath.Join(b.mnt, fmt.Sprintf("%ssync.%d.%d", sdk.ReservedPrefix, os.Getpid(), i))
	if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
		return nil, nil, err
	}
	if f, err = os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600); err != nil {
		return nil, nil, err
	}
	if where {
		on, err = bricksOf(path)
	}
	if err = errors.Join(err, os.Remove(path)); err != nil {
		f.Close()
		return nil, nil, err
	}
	return f, on, nil
}

// sync implements what localtree wants of it. It fails once after a part of the
// volume was gone: what that had not yet on its disk may be lost.
func (b *barrier) sync(ctx context.Context) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.all(ctx); err != nil {
		return sdk.NewError("sync", "", err)
	}
	now, err := readBricks(b.mnt, b.volume)
	if err == nil {
		err = now.err()
	}
	if err != nil {
		return err
	}
	if now.gen != b.gen {
		b.gen = now.gen
		return &sdk.Error{Kind: sdk.KindTransient, Op: "sync", Msg: "a part of the volume was gone meanwhile: what it was about to write may be lost"}
	}
	return nil
}

func (b *barrier) all(ctx context.Context) error {
	now, count, err := b.parts()
	if err != nil {
		return err
	}
	if len(b.files) > 0 && count == b.count && slices.Equal(now, b.bricks) && b.flush() == nil {
		return nil
	}
	// Bricks came, went, or were started anew, and then know the files no more.
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := b.build(); err != nil {
		return err
	}
	return b.flush()
}

// flush writes to all files and waits until that is on the disks.
func (b *barrier) flush() error {
	b.n++
	errs := make([]error, len(b.files))
	var wg sync.WaitGroup
	for i, f := range b.files {
		wg.Go(func() {
			// A file that did not change would be on the disk already.
			if _, err := f.WriteAt([]byte{b.n}, 0); err != nil {
				errs[i] = err
				return
			}
			errs[i] = f.Sync()
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}
