package gluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// brickPath finds the bricks in a pathinfo: "<POSIX(/brick):host:/brick/file>".
var brickPath = regexp.MustCompile(`<POSIX\(([^)]*)\):([^:>]*):`) //nolint:gochecknoglobals // a constant that Go cannot make one

// barrier makes all durable that was done on a volume before: one file without a
// name on each part of it is written to and fsynced, and what a brick's journal
// got before goes to the disk with that. Its methods may be called concurrently.
type barrier struct {
	*mount
	mnt string

	mu     sync.Mutex
	files  []*os.File
	bricks []string // that the files cover
	n      byte
	gen    string // of the bricks, when all was last known to be there
}

func newBarrier(m *mount) (*barrier, error) {
	b := &barrier{mount: m, mnt: m.place.mount()}
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
func bricksOf(get func(attr string, dest []byte) (int, error)) ([]string, error) {
	buf := make([]byte, 64<<10) // a hundred bytes for each brick
	n, err := get("trusted.glusterfs.pathinfo", buf)
	if err != nil {
		return nil, fmt.Errorf("ask for the bricks: %w", err)
	}
	var out []string
	for _, m := range brickPath.FindAllSubmatch(buf[:n], -1) {
		out = append(out, string(m[2])+":"+string(m[1]))
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

func (b *barrier) rootBricks() ([]string, error) {
	return bricksOf(func(attr string, dest []byte) (int, error) { return unix.Getxattr(b.mnt, attr, dest) })
}

// build makes the files: under names that fall where they fall, until all bricks
// of the root have one.
func (b *barrier) build() error {
	b.close()
	all, err := b.rootBricks()
	if err != nil {
		return sdk.NewError("prepare sync", "", err)
	}
	defer keepTime(b.mnt)()
	missing := slices.Clone(all)
	for i := 0; len(missing) > 0 && i < 50+20*len(all); i++ {
		f, on, err := b.file(i)
		if err != nil {
			b.close()
			return sdk.NewError("prepare sync", "", err)
		}
		before := len(missing)
		missing = slices.DeleteFunc(missing, func(brick string) bool { return slices.Contains(on, brick) })
		if len(missing) == before {
			f.Close()
		} else {
			b.files = append(b.files, f)
		}
	}
	if len(b.files) == 0 {
		return &sdk.Error{Kind: sdk.KindUnsupported, Op: "prepare sync", Msg: "the volume does not tell where a file is"}
	}
	// A brick that gets no new files is about to be removed.
	b.bricks = all
	return nil
}

// file makes a file without a name and says which bricks hold it.
func (b *barrier) file(i int) (*os.File, []string, error) {
	path := filepath.Join(b.mnt, fmt.Sprintf("%ssync.%d.%d", sdk.ReservedPrefix, os.Getpid(), i))
	if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
		return nil, nil, err
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, nil, err
	}
	on, err := bricksOf(func(attr string, dest []byte) (int, error) { return unix.Fgetxattr(int(f.Fd()), attr, dest) })
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
	now, err := b.rootBricks()
	if err != nil {
		return err
	}
	if len(b.files) > 0 && slices.Equal(now, b.bricks) && b.flush() == nil {
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
