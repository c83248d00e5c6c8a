package main

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

const (
	writtenSize  = 700 // bytes of an unpacked file
	writtenInDir = 100
)

// writers measures what it costs those who write to a tree that it is mirrored,
// by each detector there is on each filesystem.
func (b *bench) writers(ctx context.Context) ([]row, error) {
	archive := filepath.Join(b.work, "writers.tar")
	if err := b.makeArchive(ctx, archive); err != nil {
		return nil, fmt.Errorf("make the archive: %w", err)
	}
	defer os.Remove(archive)
	return b.everywhere(func() ([]row, error) { return b.writersHere(ctx, archive) })
}

// makeArchive makes an archive of small files.
func (b *bench) makeArchive(ctx context.Context, name string) (err error) {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	t := tar.NewWriter(f)
	data := noise(4)
	for d := range b.size.writtenDirs {
		if err := ctx.Err(); err != nil {
			return err
		}
		dir := fmt.Sprintf("w%04d/", d)
		if err := t.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: dir, Mode: 0o755}); err != nil {
			return err
		}
		for i := range writtenInDir {
			h := tar.Header{Typeflag: tar.TypeReg, Name: fmt.Sprintf("%sfile%d", dir, i), Mode: 0o644, Size: writtenSize, ModTime: time.Unix(1e9, 0)}
			if err := t.WriteHeader(&h); err != nil {
				return err
			}
			if _, err := io.CopyN(t, data, writtenSize); err != nil {
				return err
			}
		}
	}
	return t.Close()
}

// writing is what it took to unpack the archive.
type writing struct {
	wall, user, system time.Duration
}

const unwatched = ""

// writersHere measures on one filesystem. All runs are into filesystems of their
// own: after a removal of many files they are slow to make for a while.
func (b *bench) writersHere(ctx context.Context, archive string) ([]row, error) {
	asked := b.detector
	defer func() { b.detector = asked }()
	kinds := []string{unwatched, asked}
	if asked == detectors[0] {
		kinds = append([]string{unwatched}, detectors[1:]...)
	}
	seen := map[string][]writing{}
	absent := map[string]bool{}
	for round := range b.rounds {
		for _, kind := range kinds {
			if absent[kind] {
				continue
			}
			b.detector = kind
			w, err := b.untar(ctx, archive, round == 0)
			if errors.Is(err, errNoDetector) && asked == detectors[0] {
				fmt.Fprintf(b.log, "%s: left out: %v\n", b.fs, err)
				absent[kind] = true
				continue
			}
			if err != nil {
				return nil, fmt.Errorf("watched by %q: %w", kind, err)
			}
			fmt.Fprintf(b.log, "%s, round %d: watched by %-10q %.3f s, %.3f s user, %.3f s system\n", b.fs, round+1, kind, w.wall.Seconds(), w.user.Seconds(), w.system.Seconds())
			seen[kind] = append(seen[kind], w)
		}
	}
	return b.writerRows(kinds, seen), nil
}

func (b *bench) writerRows(kinds []string, seen map[string][]writing) (rows []row) {
	for _, m := range []struct {
		name string
		pick func(writing) time.Duration
	}{
		{"wall", func(w writing) time.Duration { return w.wall }},
		{"system", func(w writing) time.Duration { return w.system }},
		{"user and system", func(w writing) time.Duration { return w.user + w.system }},
	} {
		for _, kind := range kinds[1:] {
			if len(seen[kind]) == 0 {
				continue
			}
			r := timeRow(fmt.Sprintf("%s: the writer's %s", b.fs, m.name), 0)
			r.grid = fmt.Sprintf("writers, untar of %d files of %d bytes in %d directories: ratio (watched, unwatched)", b.size.writtenDirs*writtenInDir, writtenSize, b.size.writtenDirs)
			r.column = kind
			for i, w := range seen[kind] {
				r.add(yardstick, usage{seconds: m.pick(seen[unwatched][i]).Seconds()})
				r.add(ours, usage{seconds: m.pick(w).Seconds()})
			}
			rows = append(rows, r)
		}
	}
	return rows
}

// untar unpacks the archive into a new primary, which is in sync, or not watched by
// anything if the detector says so, and then makes sure that all of it arrived.
func (b *bench) untar(ctx context.Context, archive string, contents bool) (w writing, err error) {
	im, tree, err := b.primary(ctx, func(ctx context.Context, root string) error {
		return writeFile(ctx, filepath.Join(root, "first"), noise(5), writtenSize)
	})
	if err != nil {
		return w, err
	}
	defer func() { err = errors.Join(err, im.close()) }()
	if b.detector == unwatched {
		return unpack(ctx, archive, tree)
	}
	at, err := b.newSecondary(ctx, b.programs[ours])
	if err != nil {
		return w, err
	}
	defer func() { err = errors.Join(err, at.close()) }()
	d, err := startDaemon(ctx, tree, at)
	if err != nil {
		return w, err
	}
	if err := d.inSync(ctx); err != nil {
		return w, errors.Join(err, d.stop())
	}
	if w, err = unpack(ctx, archive, tree); err == nil {
		err = d.becomesEqual(ctx, tree, at)
	}
	if err = errors.Join(err, d.stop()); err != nil {
		return w, err
	}
	return w, at.equal(ctx, tree, contents)
}

// unpack runs the writer once all is quiet.
func unpack(ctx context.Context, archive, tree string) (w writing, err error) {
	if err := quiet(ctx); err != nil {
		return w, err
	}
	syscall.Sync()
	var out bytes.Buffer
	cmd := exec.CommandContext(ctx, "tar", "-xf", archive, "-C", tree)
	cmd.Stdout, cmd.Stderr = &out, &out
	began := time.Now()
	if err := cmd.Run(); err != nil {
		return w, fmt.Errorf("tar: %w: %s", err, tail(out.Bytes()))
	}
	return writing{wall: time.Since(began), user: cmd.ProcessState.UserTime(), system: cmd.ProcessState.SystemTime()}, nil
}
