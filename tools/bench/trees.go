package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
)

// sizes are those of the made trees.
type sizes struct {
	image        int64 // of a filesystem, sparse
	bigFile      int64
	dirs         int // of the wide tree
	filesInDir   int
	changed      int   // files changed between two runs, each in another directory
	growth       []int // dirs of the wide trees that are compared, none below changed
	latencies    int   // files made one by one
	writtenDirs  int   // directories that a writer unpacks
	renamed      int   // files in the directory that is renamed
	renamedAll   int64
	smallDirs    int // of the tree of files of 1 KiB
	smallInDir   int
	glusterFiles int  // of a volume
	linux        bool // is the kernel's source worth its time
}

func full() sizes {
	return sizes{image: 20 << 30, bigFile: 2 << 30, dirs: 10_000, filesInDir: 100, changed: 100,
		growth: []int{100, 1000, 10_000}, latencies: 200, writtenDirs: 1000,
		renamed: 10_000, renamedAll: 1 << 30, smallDirs: 100, smallInDir: 100, glusterFiles: 10_000, linux: true}
}

func small() sizes {
	return sizes{image: 4 << 30, bigFile: 128 << 20, dirs: 200, filesInDir: 50, changed: 20,
		growth: []int{20, 60, 200}, latencies: 20, writtenDirs: 50,
		renamed: 500, renamedAll: 64 << 20, smallDirs: 20, smallInDir: 20, glusterFiles: 1000}
}

// noise gives bytes that do not compress, the same for the same seed.
func noise(seed byte) io.Reader { return rand.NewChaCha8([32]byte{seed}) }

// makeBigFile makes a tree of one file.
func (b *bench) makeBigFile(ctx context.Context, root string) error {
	return writeFile(ctx, filepath.Join(root, "big"), noise(1), b.size.bigFile)
}

// makeWide makes many directories of small files.
func (b *bench) makeWide(ctx context.Context, root string) error {
	for d := range b.size.dirs {
		if err := ctx.Err(); err != nil {
			return err
		}
		dir := b.wideDir(root, d)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		for f := range b.size.filesInDir {
			name := filepath.Join(dir, "file"+strconv.Itoa(f))
			if err := os.WriteFile(name, fmt.Appendf(nil, "%s\n", name), 0o644); err != nil {
				return err
			}
		}
	}
	return nil
}

func (b *bench) wideDir(root string, d int) string {
	return filepath.Join(root, fmt.Sprintf("d%02d", d/100), fmt.Sprintf("d%04d", d))
}

// changeWide appends to one file in each of some directories, others every
// round, and returns their names. Sizes change, since rsync takes equal size and
// second for equal.
func (b *bench) changeWide(root string, round int) (names []string, err error) {
	step := b.size.dirs / b.size.changed
	for i := range b.size.changed {
		name := filepath.Join(b.wideDir(root, i*step+round%step), "file"+strconv.Itoa(round%b.size.filesInDir))
		f, err := os.OpenFile(name, os.O_WRONLY|os.O_APPEND, 0)
		if err != nil {
			return nil, err
		}
		_, err = fmt.Fprintf(f, "round %d\n", round)
		if err = errors.Join(err, f.Close()); err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	return names, nil
}

// makeSmall makes directories of files of 1 KiB.
func (b *bench) makeSmall(ctx context.Context, root string) error {
	data := noise(3)
	for d := range b.size.smallDirs {
		dir := filepath.Join(root, fmt.Sprintf("d%04d", d))
		if err := os.Mkdir(dir, 0o755); err != nil {
			return err
		}
		for f := range b.size.smallInDir {
			if err := writeFile(ctx, filepath.Join(dir, "file"+strconv.Itoa(f)), data, 1<<10); err != nil {
				return err
			}
		}
	}
	return nil
}

// makeRenamed makes one directory that is worth not copying again.
func (b *bench) makeRenamed(ctx context.Context, root string) error {
	dir := filepath.Join(root, "before")
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	data := noise(2)
	for f := range b.size.renamed {
		if err := ctx.Err(); err != nil {
			return err
		}
		name := filepath.Join(dir, "file"+strconv.Itoa(f))
		if err := writeFile(ctx, name, data, b.size.renamedAll/int64(b.size.renamed)); err != nil {
			return err
		}
	}
	return nil
}

// copyGo copies the Go tree.
func (b *bench) copyGo(ctx context.Context, root string) error {
	return command(ctx, "cp", "-a", b.goroot+"/.", root)
}

// unpackLinux unpacks Debian's kernel source. The package is fetched into the
// cache, not installed.
func (b *bench) unpackLinux(ctx context.Context, root string) error {
	dir := filepath.Join(b.cache, "linux-source-6.1")
	archive := filepath.Join(dir, "usr/src/linux-source-6.1.tar.xz")
	if _, err := os.Stat(archive); errors.Is(err, fs.ErrNotExist) {
		if err := os.MkdirAll(b.cache, 0o755); err != nil {
			return err
		}
		// apt downloads into the directory it is started in.
		get := `set -e; cd "$1"; apt-get update -qq; rm -rf part *.deb; apt-get download -qq linux-source-6.1; ` +
			`dpkg-deb -x linux-source-6.1_*.deb part; rm -rf linux-source-6.1 *.deb; mv part linux-source-6.1`
		if err := command(ctx, "sh", "-c", get, "sh", b.cache); err != nil {
			return fmt.Errorf("fetch linux-source-6.1: %w", err)
		}
	}
	return command(ctx, "tar", "-xJf", archive, "-C", root)
}

func writeFile(ctx context.Context, name string, from io.Reader, size int64) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	for left := size; left > 0 && err == nil; left -= 16 << 20 {
		_, err = io.CopyN(f, from, min(left, 16<<20))
		err = errors.Join(err, ctx.Err())
	}
	return errors.Join(err, f.Close())
}

// warm reads every file below root once, so that all runs find the primary in
// the page cache.
func warm(ctx context.Context, root string) error {
	return filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil || ctx.Err() != nil || !d.Type().IsRegular() {
			return errors.Join(err, ctx.Err())
		}
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		defer f.Close()
		_, err = io.Copy(struct{ io.Writer }{io.Discard}, f)
		return err
	})
}
