package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// benchCase is one primary and what is measured with it.
type benchCase struct {
	name string
	run  func(context.Context) ([]row, error)
}

// The targets are the product's promises; see the README.
const (
	targetFirst       = 0.6
	targetBigFile     = 0.4
	targetQuietLinux  = 0.5
	targetQuietGo     = 1.0
	targetChanged     = 0.3
	targetRenameBytes = 0.01
	targetMemory      = 150e6
	targetIdleShare   = 0.02
)

func caseNames() []string {
	return []string{"go", "linux", "bigfile", "million", "live", "live-ssh", "growth", "writers", "rename", "ssh", "ssh-latency", "gluster"}
}

func (b *bench) cases() []benchCase {
	return []benchCase{
		{"go", func(ctx context.Context) ([]row, error) {
			return b.firstAndQuiet(ctx, "Go tree", b.copyGo, targetFirst, targetQuietGo)
		}},
		{"linux", func(ctx context.Context) ([]row, error) {
			if !b.size.linux {
				return nil, nil
			}
			return b.firstAndQuiet(ctx, "linux-source", b.unpackLinux, targetFirst, targetQuietLinux)
		}},
		{"bigfile", func(ctx context.Context) ([]row, error) {
			return b.firstAndQuiet(ctx, "one file of "+size(float64(b.size.bigFile)), b.makeBigFile, targetBigFile, 0)
		}},
		{"million", b.million},
		{"live", b.live},
		{"live-ssh", b.liveSSH},
		{"growth", b.growth},
		{"writers", b.writers},
		{"rename", b.rename},
		{"ssh", b.ssh},
		{"ssh-latency", b.latency},
		{"gluster", b.gluster},
	}
}

// primary makes the source of a case.
func (b *bench) primary(ctx context.Context, fill func(context.Context, string) error) (im *image, tree string, err error) {
	if im, err = b.newImage(ctx, "primary"); err != nil {
		return nil, "", err
	}
	tree = im.path("tree")
	if err = os.Mkdir(tree, 0o755); err == nil {
		err = fill(ctx, tree)
	}
	if err == nil {
		err = warm(ctx, tree)
	}
	if err != nil {
		return nil, "", errors.Join(fmt.Errorf("make the primary: %w", err), im.close())
	}
	return im, tree, nil
}

// pair is a secondary of each program.
type pair [2]*secondary

func (p *pair) close() error {
	var err error
	for i, at := range p {
		if at != nil {
			err = errors.Join(err, at.close())
			p[i] = nil
		}
	}
	return err
}

// fresh replaces secondary i by an empty one.
func (b *bench) fresh(ctx context.Context, p *pair, i int) error {
	if p[i] != nil {
		if err := p[i].close(); err != nil {
			return err
		}
		p[i] = nil
	}
	var err error
	p[i], err = b.newSecondary(ctx, b.programs[i])
	return err
}

// firstAndQuiet measures the first sync and, with quiet above 0, runs that find
// nothing changed.
func (b *bench) firstAndQuiet(ctx context.Context, what string, fill func(context.Context, string) error, first, quiet float64) (rows []row, err error) {
	im, tree, err := b.primary(ctx, fill)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, im.close()) }()
	var p pair
	defer func() { err = errors.Join(err, p.close()) }()

	r := timeRow(what+": first sync", first)
	for round := range b.rounds {
		for i := range p {
			if err := b.fresh(ctx, &p, i); err != nil {
				return rows, err
			}
			if err := b.measure(ctx, &r, i, p[i], tree, round, true); err != nil {
				return rows, err
			}
		}
	}
	rows = append(rows, r)
	if quiet == 0 {
		return rows, nil
	}
	r = timeRow(what+": nothing changed", quiet)
	if err := b.repeat(ctx, &r, &p, tree, nil); err != nil {
		return rows, err
	}
	return append(rows, r), nil
}

// measure runs one program and enters its time.
func (b *bench) measure(ctx context.Context, r *row, i int, at *secondary, tree string, round int, contents bool) error {
	u, err := at.sync(ctx, tree, false)
	if err != nil {
		return err
	}
	fmt.Fprintf(b.log, "%s, round %d: %-11s %8.3f s, %s written\n", r.what, round+1, at.prog.name, u.seconds, size(float64(u.written)))
	if err := at.equal(ctx, tree, contents && round == 0); err != nil {
		return err
	}
	r.add(i, u)
	return nil
}

// repeat measures runs on secondaries that are up to date but for what change
// does to the primary. A first run of each is not counted: just after a first
// sync, times of the last moments are still too near to be trusted.
func (b *bench) repeat(ctx context.Context, r *row, p *pair, tree string, change func(round int) error) error {
	for _, at := range p {
		if _, err := at.sync(ctx, tree, false); err != nil {
			return err
		}
	}
	for round := range b.rounds {
		if change != nil {
			if err := change(round); err != nil {
				return fmt.Errorf("change the primary: %w", err)
			}
		}
		for i, at := range p {
			if err := b.measure(ctx, r, i, at, tree, round, false); err != nil {
				return err
			}
		}
	}
	return nil
}

// million measures on a wide tree: memory of the first sync, a few changes, and
// memory and processor time while nothing changes.
func (b *bench) million(ctx context.Context) (rows []row, err error) {
	im, tree, err := b.primary(ctx, b.makeWide)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, im.close()) }()
	var p pair
	defer func() { err = errors.Join(err, p.close()) }()

	what := fmt.Sprintf("%d files in %d directories", b.size.dirs*b.size.filesInDir, b.size.dirs)
	r := memoryRow(what + ": first sync, memory")
	for i := range p {
		if err := b.fresh(ctx, &p, i); err != nil {
			return rows, err
		}
		u, err := p[i].sync(ctx, tree, true)
		if err != nil {
			return rows, err
		}
		fmt.Fprintf(b.log, "%s: %-11s %8.3f s, %s\n", r.what, p[i].prog.name, u.seconds, size(float64(u.memory)))
		if err := p[i].equal(ctx, tree, false); err != nil {
			return rows, err
		}
		r.add(i, u)
	}
	rows = append(rows, r)

	r = timeRow(fmt.Sprintf("%s: %d changed", what, b.size.changed), targetChanged)
	if err := b.repeat(ctx, &r, &p, tree, func(round int) error {
		_, err := b.changeWide(tree, round)
		return err
	}); err != nil {
		return rows, err
	}
	rows = append(rows, r)
	idle, err := b.idleRun(ctx, what, tree, p[1])
	return append(rows, idle...), err
}

// idleRun lets the program run without end while nothing changes, and stops it. Its
// memory is sampled from the start on.
func (b *bench) idleRun(ctx context.Context, what, tree string, at *secondary) ([]row, error) {
	d, err := startDaemon(ctx, tree, at)
	if err != nil {
		return nil, err
	}
	peak := make(chan int64, 1)
	go func() { peak <- d.sampleUntilExit() }()
	var share float64
	if err = errors.Join(d.inSync(ctx), quiet(ctx)); err == nil {
		share, _, err = d.atRest(ctx, b.idle)
	}
	if err = errors.Join(err, d.stop()); err != nil {
		return nil, err
	}
	mem, idle := memoryRow(what+": nothing changes, memory"), shareRow(what+": nothing changes, share of a core", targetIdleShare)
	mem.add(ours, usage{memory: <-peak})
	idle.add(ours, usage{share: share})
	fmt.Fprintf(b.log, "%s: idle %s, %.3f %% of a core\n", what, mem.value(ours), share*100)
	return []row{mem, idle}, nil
}

// rename measures the bytes that a renamed directory costs.
func (b *bench) rename(ctx context.Context) (rows []row, err error) {
	im, tree, err := b.primary(ctx, b.makeRenamed)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, im.close()) }()
	var p pair
	defer func() { err = errors.Join(err, p.close()) }()
	for i := range p {
		if err := b.fresh(ctx, &p, i); err != nil {
			return nil, err
		}
		if _, err := p[i].sync(ctx, tree, false); err != nil {
			return nil, err
		}
		if err := p[i].equal(ctx, tree, true); err != nil {
			return nil, err
		}
	}
	r := bytesRow(fmt.Sprintf("directory of %d files, %s, renamed: bytes written", b.size.renamed, size(float64(b.size.renamedAll))), targetRenameBytes)
	from, to := filepath.Join(tree, "before"), filepath.Join(tree, "after")
	err = b.repeat(ctx, &r, &p, tree, func(int) error {
		defer func() { from, to = to, from }()
		return os.Rename(from, to)
	})
	return append(rows, r), err
}
