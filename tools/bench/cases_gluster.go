package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/gsyncd/gsyncd-host/plugins/gluster/glusterlab"
)

// The targets of a mirror between two Gluster volumes.
const (
	targetGlusterFirst = 0.7
	targetGlusterQuiet = 1.0
	targetGlusterP50   = 1.5 // seconds from a write to its being visible
	targetGlusterP95   = 3.0
	targetGlusterIdle  = 0.002
	glusterChanges     = 20
)

// gluster measures a volume mirrored to another one on this machine, against rsync
// between two mounts of the same kind.
func (b *bench) gluster(ctx context.Context) (rows []row, err error) {
	im, err := b.newImage(ctx, "gluster")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, im.close()) }()
	lab, err := glusterlab.Start(glusterlab.Options{Base: im.dir})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, lab.Close()) }()
	g := &glusterBench{bench: b, ctx: ctx, lab: lab, dir: im.dir}
	err = inTest(b.log, g.run)
	return g.rows, err
}

// glusterBench is one run of the case.
type glusterBench struct {
	*bench
	ctx  context.Context
	lab  *glusterlab.Lab
	dir  string
	pop  *glusterlab.Volume
	tree string // where pop is written to
	rows []row
}

func (g *glusterBench) run(t *script) {
	g.pop = g.lab.Volume(t, "pop", glusterlab.One)
	g.pop.Index(t, true)
	g.tree = g.pop.Mount(t)
	n := g.size.glusterFiles
	t.must(g.fill(n))
	what := fmt.Sprintf("%d files between volumes", n)
	first := timeRow(what+": first sync", targetGlusterFirst)
	durable := timeRow(what+": first sync, rsync's on the disk too", targetGlusterFirst)
	quiet := timeRow(what+": nothing changed", targetGlusterQuiet)
	for round := range g.rounds {
		t.must(inTest(g.log, func(t *script) { g.theirs(t, round, &first, &durable, &quiet) }))
		t.must(inTest(g.log, func(t *script) {
			vol := g.ours(t, round, &first, &durable, &quiet)
			if round == g.rounds-1 {
				g.rows = append(g.rows, first, durable, quiet)
				g.running(t, what, vol)
			}
		}))
	}
}

// fill copies so many files of the Go tree.
func (g *glusterBench) fill(most int) error {
	src := filepath.Join(g.goroot, "src")
	var list bytes.Buffer
	err := filepath.WalkDir(src, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			fmt.Fprintf(&list, "%s\x00", strings.TrimPrefix(path, src+"/"))
			if most--; most == 0 {
				return fs.SkipAll
			}
		}
		return err
	})
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(g.ctx, "rsync", "-a", "--from0", "--files-from=-", src+"/", g.tree+"/")
	cmd.Stdin = &list
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("fill the volume: %w: %s", err, tail(out))
	}
	return nil
}

// timed runs a program and returns the seconds it took.
func (g *glusterBench) timed(argv ...string) (float64, error) {
	start := time.Now()
	err := command(g.ctx, argv[0], argv[1:]...)
	return time.Since(start).Seconds(), err
}

// theirs is a round of rsync, with mounts that have not seen the tree either.
func (g *glusterBench) theirs(t *script, round int, first, durable, quiet *row) {
	from, to := g.pop.Mount(t), g.lab.Volume(t, fmt.Sprintf("theirs%d", round), glusterlab.One).Mount(t)
	argv := []string{"rsync", "-a", "--delete", from + "/", to + "/"}
	syscall.Sync()
	took, err := g.timed(argv...)
	t.must(err)
	flushed, err := g.timed("sync", "-f", g.dir)
	t.must(err)
	again, err := g.timed(argv...)
	t.must(err)
	first.add(0, usage{seconds: took})
	durable.add(0, usage{seconds: took + flushed})
	quiet.add(0, usage{seconds: again})
	fmt.Fprintf(g.log, "round %d: rsync %.3f s, sync %.3f s, again %.3f s\n", round+1, took, flushed, again)
}

// argv is our command line for a run to a volume.
func (g *glusterBench) argv(to *glusterlab.Volume, flags ...string) []string {
	argv := append([]string{g.bin, "run"}, flags...)
	return append(argv, "--state-dir", filepath.Join(g.dir, "state-"+to.Name()), g.pop.URL(), to.URL())
}

// ours is a round of this program. It returns the volume that it made equal.
func (g *glusterBench) ours(t *script, round int, first, durable, quiet *row) *glusterlab.Volume {
	vol := g.lab.Volume(t, fmt.Sprintf("ours%d", round), glusterlab.One)
	syscall.Sync()
	took, err := g.timed(g.argv(vol, "--once")...)
	t.must(err)
	t.must(g.equal(t, vol))
	again, err := g.timed(g.argv(vol, "--once")...)
	t.must(err)
	for _, r := range []*row{first, durable} {
		r.add(1, usage{seconds: took})
	}
	quiet.add(1, usage{seconds: again})
	fmt.Fprintf(g.log, "round %d: gsyncd-host %.3f s, again %.3f s\n", round+1, took, again)
	return vol
}

// equal compares contents too.
func (g *glusterBench) equal(t *script, vol *glusterlab.Volume) error {
	out, err := exec.CommandContext(g.ctx, "rsync", "-aHni", "--checksum", "--delete", "--modify-window=-1", g.tree+"/", vol.Mount(t)+"/").CombinedOutput()
	if err != nil || len(bytes.TrimSpace(out)) > 0 {
		return fmt.Errorf("compare volumes: %w: %s", errors.Join(err, errors.New("they differ")), tail(out))
	}
	return nil
}

// running measures a mirror that runs on: from writes and removals to their being
// visible, one after the other, and then its idling.
func (g *glusterBench) running(t *script, what string, vol *glusterlab.Volume) {
	var out bytes.Buffer
	s, err := startSession(g.ctx, g.argv(vol), &out)
	t.must(err)
	defer func() {
		_ = s.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
		t.must(s.wait())
	}()
	var seen [2][]float64
	for i := range glusterChanges {
		name := fmt.Sprintf("visible-%d", i)
		for k, change := range []func() error{
			func() error { return os.WriteFile(filepath.Join(g.tree, name), []byte(name), 0o644) },
			func() error { return os.Remove(filepath.Join(g.tree, name)) },
		} {
			start := time.Now()
			t.must(change())
			t.must(g.await(s, filepath.Join(vol.BrickDir(0), name), k == 0))
			seen[k] = append(seen[k], time.Since(start).Seconds())
			// At another moment of its rhythm each time.
			t.must(g.rest(500*time.Millisecond + time.Duration(i*137%1000)*time.Millisecond))
		}
		fmt.Fprintf(g.log, "change %d: visible after %.2f s, gone after %.2f s\n", i+1, seen[0][i], seen[1][i])
	}
	for k, change := range []string{"a write", "a removal"} {
		if len(seen[k]) == 0 {
			continue
		}
		slices.Sort(seen[k])
		p95 := seen[k][(len(seen[k])*95+99)/100-1]
		g.rows = append(g.rows,
			row{what: change + " is visible, p50", target: targetGlusterP50, absolute: true, show: seconds, values: [columns][]float64{ours: seen[k]}},
			row{what: change + " is visible, p95", target: targetGlusterP95, absolute: true, show: seconds, values: [columns][]float64{ours: {p95}}})
	}
	t.must(g.rest(g.idle / 4))
	before, since := s.cpu(), time.Now()
	t.must(g.rest(g.idle * 3 / 4))
	share := (s.cpu() - before).Seconds() / time.Since(since).Seconds()
	r := shareRow(what+": nothing changes, share of a core", targetGlusterIdle)
	r.add(ours, usage{share: share})
	g.rows = append(g.rows, r)
}

// await waits until a file is there, or gone, on the secondary's brick.
func (g *glusterBench) await(s *session, path string, there bool) error {
	for range 60_000 / 5 {
		if b, err := os.ReadFile(path); there == (err == nil && len(b) > 0) {
			return nil
		}
		select {
		case <-s.done:
			return fmt.Errorf("the mirror ended by itself: %w", s.err)
		default:
		}
		if err := g.rest(5 * time.Millisecond); err != nil {
			return err
		}
	}
	return fmt.Errorf("%s: not as it should be after a minute", path)
}

func (g *glusterBench) rest(d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-g.ctx.Done():
		return g.ctx.Err()
	}
}
