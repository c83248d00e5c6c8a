package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os/exec"
)

// live measures a program that goes on mirroring a wide tree, on each filesystem.
func (b *bench) live(ctx context.Context) ([]row, error) {
	return b.everywhere(func() ([]row, error) {
		var other *program
		if b.fs == defaultFilesystem {
			if _, err := exec.LookPath("lsyncd"); err == nil {
				other = lsyncd()
			} else {
				fmt.Fprintln(b.log, "lsyncd is not installed: its column is left out")
			}
		}
		return b.liveRows(ctx, "", targetLiveChanged, other)
	})
}

// liveSSH does so through ssh.
func (b *bench) liveSSH(ctx context.Context) ([]row, error) {
	return b.far(ctx, 0, func() ([]row, error) { return b.liveRows(ctx, " through ssh", targetLiveChangedSSH, nil) })
}

func (b *bench) liveRows(ctx context.Context, way string, target float64, other *program) ([]row, error) {
	what := fmt.Sprintf("%d files in %d directories%s", b.size.dirs*b.size.filesInDir, b.size.dirs, way)
	rows, detector, err := b.follow(ctx, b.fs+", "+what, target, other)
	for i := range rows {
		rows[i].what = fmt.Sprintf("%s, %s, %s: %s", b.fs, cmp.Or(detector, "detector unknown"), what, rows[i].what)
	}
	return rows, err
}

// growth measures the same with wide trees of several sizes. What is promised is
// promised of the largest.
func (b *bench) growth(ctx context.Context) (rows []row, err error) {
	before := b.size.dirs
	defer func() { b.size.dirs = before }()
	for i, dirs := range b.size.growth {
		b.size.dirs = dirs
		files := fmt.Sprintf("%d files", b.size.dirs*b.size.filesInDir)
		got, detector, err := b.follow(ctx, files, targetLiveChanged, nil)
		for _, r := range got {
			r.grid = fmt.Sprintf("growth, on %s, %d files in a directory: ratio (ours, a fresh rsync or as named)", b.fs, b.size.filesInDir)
			r.column = files + ", " + cmp.Or(detector, "detector unknown")
			if i < len(b.size.growth)-1 {
				r.target = 0
			}
			rows = append(rows, r)
		}
		if err != nil {
			return rows, fmt.Errorf("%s: %w", files, err)
		}
	}
	return rows, nil
}

// follow measures a wide tree with our program, against rsync, and, if other is
// not nil, with that one after it. It returns rows that name what was measured and
// nothing else, and the detector in use.
func (b *bench) follow(ctx context.Context, name string, target float64, other *program) (rows []row, detector string, err error) {
	im, tree, err := b.primary(ctx, b.makeWide)
	if err != nil {
		return nil, "", err
	}
	defer func() { err = errors.Join(err, im.close()) }()
	var p pair
	defer func() { err = errors.Join(err, p.close()) }()
	for i := range p {
		if err := b.fresh(ctx, &p, i); err != nil {
			return nil, "", err
		}
	}
	f := follower{bench: b, name: name, tree: tree, rsync: p[0], at: p[1], column: ours}
	err = f.run(ctx, target)
	if err != nil || other == nil {
		return f.rows, f.detector, err
	}
	at, err := b.newSecondary(ctx, other)
	if err != nil {
		return f.rows, f.detector, err
	}
	defer func() { err = errors.Join(err, at.close()) }()
	g := follower{bench: b, name: name, tree: tree, at: at, column: peer}
	err = g.run(ctx, target)
	for i := range g.rows {
		f.rows[i].values[peer] = g.rows[i].values[peer]
	}
	return f.rows, f.detector, err
}
