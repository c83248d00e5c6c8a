package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"
)

// The targets of a program that goes on mirroring.
const (
	targetLiveChanged    = 1.0 / 30 // of a fresh rsync
	targetLiveChangedSSH = 1.0 / 20
	targetLatency50      = 0.050 // seconds
	targetLatency95      = 0.150
	targetLiveIdle       = 0.005
	targetRestart        = 1.5 // of a walk with find
)

// live measures a program that goes on mirroring a wide tree.
func (b *bench) live(ctx context.Context) ([]row, error) {
	return b.follow(ctx, "", targetLiveChanged)
}

// liveSSH does so through ssh.
func (b *bench) liveSSH(ctx context.Context) (rows []row, err error) {
	return b.far(ctx, 0, func() ([]row, error) { return b.follow(ctx, " through ssh", targetLiveChangedSSH) })
}

func (b *bench) follow(ctx context.Context, way string, target float64) (rows []row, err error) {
	im, tree, err := b.primary(ctx, b.makeWide)
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
	}
	if _, err := p[0].sync(ctx, tree, false); err != nil {
		return nil, err
	}
	what := fmt.Sprintf("%d files in %d directories%s", b.size.dirs*b.size.filesInDir, b.size.dirs, way)
	d, err := startDaemon(ctx, p[1].prog.daemon(tree, p[1]))
	if err != nil {
		return nil, err
	}
	stopped := false
	defer func() {
		if !stopped {
			err = errors.Join(err, d.stop())
		}
	}()
	if err := d.inSync(ctx); err != nil {
		return nil, err
	}
	f := follower{bench: b, what: what, tree: tree, p: &p}
	for _, measure := range []func(context.Context, *daemon) error{
		func(ctx context.Context, d *daemon) error { return f.changes(ctx, d, target) }, f.latency, f.idle,
	} {
		if err := measure(ctx, d); err != nil {
			return f.rows, err
		}
	}
	stopped = true
	if err := d.stop(); err != nil {
		return f.rows, err
	}
	err = f.restart(ctx)
	return f.rows, err
}

// follower measures on one pair.
type follower struct {
	*bench
	what string
	tree string
	p    *pair
	rows []row
}

// there is where a file of the primary is on our secondary.
func (f *follower) there(name string) string {
	rel, _ := filepath.Rel(f.tree, name) // both are absolute
	return filepath.Join(f.p[1].tree(), rel)
}

// changes measures how long it takes until changes in many directories are on
// the secondary, from the first of them on; and then a fresh rsync of the same.
func (f *follower) changes(ctx context.Context, d *daemon, target float64) error {
	r := timeRow(fmt.Sprintf("%s: running, %d changed", f.what, f.size.changed), target)
	for round := range f.rounds {
		if err := quiet(ctx); err != nil {
			return err
		}
		began := time.Now()
		names, err := f.changeWide(f.tree, round)
		if err != nil {
			return fmt.Errorf("change the primary: %w", err)
		}
		there := make([]string, len(names))
		for i, name := range names {
			there[i] = f.there(name)
		}
		if err := d.arrived(ctx, slices.Clone(names), there); err != nil {
			return err
		}
		took := time.Since(began).Seconds()
		fmt.Fprintf(f.log, "%s, round %d: %-11s %8.3f s\n", r.what, round+1, "gsyncd-host", took)
		r.add(1, usage{seconds: took})
		if err := f.measure(ctx, &r, 0, f.p[0], f.tree, round, false); err != nil {
			return err
		}
	}
	f.rows = append(f.rows, r)
	return f.p[1].equal(ctx, f.tree, false)
}

// latency measures how long it takes until a new file is there.
func (f *follower) latency(ctx context.Context, d *daemon) error {
	rng := rand.New(rand.NewPCG(1, 1))
	var seen []float64
	for i := range f.size.latencies {
		if err := sleep(ctx, time.Duration(100+rng.IntN(300))*time.Millisecond); err != nil {
			return err
		}
		name := filepath.Join(f.wideDir(f.tree, rng.IntN(f.size.dirs)), fmt.Sprintf("new%d", i))
		began := time.Now()
		if err := os.WriteFile(name, []byte(name), 0o644); err != nil {
			return err
		}
		if err := d.arrived(ctx, []string{name}, []string{f.there(name)}); err != nil {
			return err
		}
		seen = append(seen, time.Since(began).Seconds())
	}
	slices.Sort(seen)
	for _, q := range []struct {
		name   string
		at     int
		target float64
	}{{"p50", 50, targetLatency50}, {"p95", 95, targetLatency95}} {
		r := timeRow(fmt.Sprintf("%s: a new file until it is there, %s", f.what, q.name), q.target)
		r.absolute = true
		r.add(1, usage{seconds: seen[len(seen)*q.at/100]})
		f.rows = append(f.rows, r)
	}
	fmt.Fprintf(f.log, "%s: a new file after %.3f s, 19 of 20 after %.3f s\n", f.what, seen[len(seen)/2], seen[len(seen)*95/100])
	return nil
}

// idle measures what the running program costs while nothing changes.
func (f *follower) idle(ctx context.Context, d *daemon) error {
	if err := quiet(ctx); err != nil {
		return err
	}
	began, before := time.Now(), d.cpu()
	if err := sleep(ctx, f.bench.idle); err != nil {
		return err
	}
	share := (d.cpu() - before).Seconds() / time.Since(began).Seconds()
	r := shareRow(f.what+": running, nothing changes, share of a core", share)
	r.target = targetLiveIdle
	mem := memoryRow(f.what + ": running, memory")
	mem.add(1, usage{memory: d.memory()})
	f.rows = append(f.rows, r, mem)
	fmt.Fprintf(f.log, "%s: idle %.3f %% of a core, %s\n", f.what, share*100, size(float64(d.memory())))
	return nil
}

// restart measures how long it takes until changes that were made while the program
// was not running are there, against a walk of the tree with find.
func (f *follower) restart(ctx context.Context) error {
	const changed = 10
	r := timeRow(fmt.Sprintf("%s: started, %d changed; against find", f.what, changed), targetRestart)
	for round := range f.rounds {
		var names, there []string
		for i := range changed {
			name := filepath.Join(f.wideDir(f.tree, i*f.size.dirs/changed), fmt.Sprintf("restart%d", round))
			if err := os.WriteFile(name, []byte(name), 0o644); err != nil {
				return err
			}
			names, there = append(names, name), append(there, f.there(name))
		}
		began := time.Now()
		if err := exec.CommandContext(ctx, "find", f.tree, "-cnewer", "/").Run(); err != nil {
			return fmt.Errorf("find: %w", err)
		}
		walk := time.Since(began).Seconds()
		began = time.Now()
		d, err := startDaemon(ctx, f.p[1].prog.daemon(f.tree, f.p[1]))
		if err != nil {
			return err
		}
		if err := d.arrived(ctx, names, there); err != nil {
			return err
		}
		took := time.Since(began).Seconds()
		if err := errors.Join(d.inSync(ctx), quiet(ctx), d.stop()); err != nil {
			return err
		}
		fmt.Fprintf(f.log, "%s, round %d: find %.3f s, gsyncd-host %.3f s\n", r.what, round+1, walk, took)
		r.add(0, usage{seconds: walk})
		r.add(1, usage{seconds: took})
	}
	f.rows = append(f.rows, r)
	return f.p[1].equal(ctx, f.tree, false)
}

// quiet waits until what was too young to be trusted is not any more.
func quiet(ctx context.Context) error { return sleep(ctx, 2*time.Second) }

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
