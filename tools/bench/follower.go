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
)

// follower measures a program that goes on making one secondary equal to a wide
// tree. Its rows come in the same order for every program.
type follower struct {
	*bench
	name   string // of the tree, for the log
	tree   string
	rsync  *secondary // what a fresh rsync makes equal; nil: it is not asked
	at     *secondary
	column int // of the rows
	rows   []row
	// detector is what our program noticed changes by; it is empty until the end.
	detector string
}

func (f *follower) run(ctx context.Context, target float64) error {
	first := timeRow("first sync, once", 0)
	if f.rsync != nil {
		u, err := f.rsync.sync(ctx, f.tree, false)
		if err != nil {
			return err
		}
		first.add(yardstick, u)
	}
	began := time.Now()
	err := f.running(ctx, func(d *daemon) error {
		first.add(f.column, usage{seconds: time.Since(began).Seconds()})
		f.rows = append(f.rows, first)
		f.tell("%s: %s", first.what, first.value(f.column))
		if err := f.changes(ctx, d, target); err != nil {
			return err
		}
		if err := f.latency(ctx, d); err != nil {
			return err
		}
		return f.idle(ctx, d)
	})
	if err != nil {
		return err
	}
	return f.restart(ctx)
}

// tell writes a line to the log.
func (f *follower) tell(format string, args ...any) {
	fmt.Fprintf(f.log, "%s: %s: %s\n", f.name, f.at.prog.name, fmt.Sprintf(format, args...))
}

// running starts the program, does something once it is in sync, and stops it.
func (f *follower) running(ctx context.Context, do func(*daemon) error) error {
	d, err := startDaemon(ctx, f.tree, f.at)
	if err != nil {
		return err
	}
	if err = d.inSync(ctx); err == nil {
		err = do(d)
	}
	return errors.Join(err, f.stop(d))
}

// stop ends the program and learns what it noticed changes by.
func (f *follower) stop(d *daemon) error {
	if err := d.stop(); err != nil || d.told || f.column != ours {
		return err
	}
	kind, err := d.detector()
	switch {
	case err != nil:
		return err
	case f.detector != "" && f.detector != kind:
		return fmt.Errorf("the detector was %s and is %s", f.detector, kind)
	}
	f.detector = kind
	return nil
}

// there is where a file of the primary is on the secondary.
func (f *follower) there(name string) string {
	rel, _ := filepath.Rel(f.tree, name) // both are absolute
	return filepath.Join(f.at.tree(), rel)
}

// changes measures how long it takes until changes in many directories are on
// the secondary, from the first of them on; and then a fresh rsync of the same.
func (f *follower) changes(ctx context.Context, d *daemon, target float64) error {
	r := timeRow(fmt.Sprintf("running, %d changed in %[1]d directories", f.size.changed), target)
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
		f.tell("%s, round %d: %.3f s", r.what, round+1, took)
		r.add(f.column, usage{seconds: took})
		if f.rsync == nil {
			continue
		}
		if err := f.measure(ctx, &r, yardstick, f.rsync, f.tree, round, false); err != nil {
			return err
		}
	}
	f.rows = append(f.rows, r)
	return d.becomesEqual(ctx, f.tree, f.at)
}

// patience is how long new files are made at most, one after the other, where each
// takes long to arrive; but for a few, so that there is something to tell.
const (
	patience     = 2 * time.Minute
	fewLatencies = 5
)

// latency measures how long it takes until a new file is there.
func (f *follower) latency(ctx context.Context, d *daemon) error {
	rng := rand.New(rand.NewPCG(1, 1))
	end := time.Now().Add(patience)
	var seen []float64
	for i := range f.size.latencies {
		if i >= fewLatencies && time.Now().After(end) {
			break
		}
		if err := sleep(ctx, time.Duration(100+rng.IntN(300))*time.Millisecond); err != nil {
			return err
		}
		name := filepath.Join(f.wideDir(f.tree, rng.IntN(f.size.dirs)), fmt.Sprintf("new%d-%s", i, f.at.prog.name))
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
		r := timeRow("a new file until it is there, "+q.name, q.target)
		r.absolute = true
		r.add(f.column, usage{seconds: seen[len(seen)*q.at/100]})
		f.rows = append(f.rows, r)
	}
	f.tell("%d new files, half of them there after %.3f s, 19 of 20 after %.3f s", len(seen), seen[len(seen)/2], seen[len(seen)*95/100])
	return nil
}

// idle measures what the running program costs while nothing changes.
func (f *follower) idle(ctx context.Context, d *daemon) error {
	if err := quiet(ctx); err != nil {
		return err
	}
	share, memory, err := d.atRest(ctx, f.bench.idle)
	if err != nil {
		return err
	}
	r, mem := shareRow("at rest, share of a core", targetLiveIdle), memoryRow("at rest, memory")
	r.add(f.column, usage{share: share})
	mem.add(f.column, usage{memory: memory})
	f.rows = append(f.rows, r, mem)
	f.tell("at rest for %v: %.3f %% of a core, %s", f.bench.idle, share*100, size(float64(memory)))
	return d.becomesEqual(ctx, f.tree, f.at)
}

// restart measures how long it takes until changes that were made while the program
// was not running are there, against a walk of the tree with find.
func (f *follower) restart(ctx context.Context) error {
	const changed = 10
	r := timeRow(fmt.Sprintf("restart, %d changed; against find", changed), filesystems[f.fs].restart)
	for round := range f.rounds {
		var names, there []string
		for i := range changed {
			name := filepath.Join(f.wideDir(f.tree, i*f.size.dirs/changed), fmt.Sprintf("restart%d-%s", round, f.at.prog.name))
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
		d, err := startDaemon(ctx, f.tree, f.at)
		if err != nil {
			return err
		}
		err = d.arrived(ctx, names, there)
		took := time.Since(began).Seconds()
		if err == nil {
			err = errors.Join(d.inSync(ctx), quiet(ctx))
		}
		if err = errors.Join(err, f.stop(d)); err != nil {
			return err
		}
		f.tell("%s, round %d: %.3f s, find %.3f s", r.what, round+1, took, walk)
		r.add(yardstick, usage{seconds: walk})
		r.add(f.column, usage{seconds: took})
	}
	f.rows = append(f.rows, r)
	return f.at.equal(ctx, f.tree, false)
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
