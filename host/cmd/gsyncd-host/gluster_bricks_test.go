package main

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gsyncd/gsyncd-host/plugins/gluster/glusterlab"
	"github.com/gsyncd/gsyncd-host/sdk"
)

// fill writes directories of eight files, so that each brick has some of each.
func (pl *place) fill(t *testing.T, name string, dirs int) {
	t.Helper()
	for i := range dirs {
		for k := range 8 {
			pl.write(t, fmt.Sprintf("%s%d/f%d", name, i, k), noise(uint64(100*i+k), 200*k))
		}
	}
}

// files counts the files of a tree that have their own names; what cannot be seen
// just then does not count.
func files(root, prefix string) (n int) {
	_ = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() && !sdk.Reserved(d.Name()) && strings.HasPrefix(path, filepath.Join(root, prefix)) {
			n++
		}
		return nil
	})
	return n
}

// keeps watches a secondary until the returned function is called: of the files
// below a prefix none may ever be gone that was there once.
func keeps(t *testing.T, root, prefix string) func() {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		most := 0
		for wait(ctx, 10*time.Millisecond) {
			now := files(root, prefix)
			if now < most {
				t.Errorf("%d files %s* were there, and now %d are", most, prefix, now)
				return
			}
			most = max(most, now)
		}
	})
	stop := func() { cancel(); wg.Wait() }
	t.Cleanup(stop)
	return stop
}

// back waits until the test's own mount has found all bricks again.
func (v *vol) back(t *testing.T) {
	t.Helper()
	for i := range v.Bricks() {
		poll(t, "the test's own mount finds the bricks", func() bool {
			b, err := os.ReadFile(filepath.Join(v.dir, fmt.Sprintf(".meta/graphs/active/%s-client-%d/private", v.Name(), i)))
			return err == nil && strings.Contains(string(b), "connected = 1")
		})
	}
}

// TestGlusterBrickDies kills a brick of a distributed primary: while the mirror is
// not there yet, in the middle of the first crawl, and of a turn that has much to
// delete. Listings are then short of half the files without a word.
func TestGlusterBrickDies(t *testing.T) {
	t.Parallel()
	p := newVol(t, "dies", glusterlab.Dist2, true)
	pl := newGlusterPlace(t, p, nil)
	const kept, gone = 15, 25
	pl.fill(t, "kept", kept)
	pl.fill(t, "gone", gone)
	config := pl.glusterConfig(t, p.URL(), pl.s, swept("24h"))

	p.KillBrick(t, 0)
	h := pl.start(t, "-c", config)
	const down = "a part of the volume is not there"
	h.until("it says that a brick is down", func() bool { return h.said(down) > 0 })
	if files(pl.s, "") > 0 {
		t.Error("something was copied of half a volume")
	}
	p.RestartBrick(t, 0)
	p.back(t)

	h.until("the first crawl is on its way", func() bool { return files(pl.s, "") > 20 })
	t.Logf("killed after %d of %d files", files(pl.s, ""), 8*(kept+gone))
	stop := keeps(t, pl.s, "")
	said := h.said(down)
	p.KillBrick(t, 1)
	h.until("it says that the other brick is down", func() bool { return h.said(down) > said })
	p.RestartBrick(t, 1)
	p.back(t)
	pl.arrives(t, h, "the first crawl after all")
	stop()

	stop = keeps(t, pl.s, "kept")
	for i := range gone {
		check(t, os.RemoveAll(filepath.Join(pl.p, fmt.Sprintf("gone%d", i))))
	}
	h.until("deletions are on their way", func() bool { return files(pl.s, "gone") < 8*gone })
	t.Logf("killed when %d of %d files were left to delete", files(pl.s, "gone"), 8*gone)
	said = h.said(down)
	p.KillBrick(t, 1)
	h.until("it says so once more", func() bool { return h.said(down) > said })
	p.RestartBrick(t, 1)
	p.back(t)
	pl.arrives(t, h, "the deletions after all")
	stop()
	h.stop(syscall.SIGTERM)
	pl.clean(t)
	p.unmounted(t)
}

// complaints are the warnings and errors of a log, but for what is to be listed or
// read again since a brick came or went meanwhile: the driver says so, or what it
// had open is of no use any more.
func complaints(log string) (out []string) {
	for line := range strings.Lines(log) {
		meanwhile := strings.Contains(line, "side=primary kind=transient")
		if (strings.Contains(line, "level=WARN") || strings.Contains(line, "level=ERROR")) && !meanwhile {
			out = append(out, line)
		}
	}
	return out
}

// TestGlusterCopyDies kills one of several copies in the middle of the first crawl:
// nothing is to be seen of that.
func TestGlusterCopyDies(t *testing.T) {
	t.Parallel()
	for _, layout := range []glusterlab.Layout{glusterlab.Rep3, glusterlab.Disp3} {
		t.Run(layout.String(), func(t *testing.T) {
			t.Parallel()
			p := newVol(t, "copy-"+layout.String(), layout, true)
			pl := newGlusterPlace(t, p, nil)
			pl.fill(t, "kept", 12)
			h := pl.start(t, "-c", pl.glusterConfig(t, p.URL(), pl.s, swept("24h")))
			h.until("the first crawl is on its way", func() bool { return files(pl.s, "") > 10 })
			stop := keeps(t, pl.s, "kept")
			p.KillBrick(t, 1)
			pl.arrives(t, h, "the first crawl with a brick less")
			stop()
			pl.write(t, "kept1/f1", []byte("a change with a brick less"))
			check(t, os.Rename(filepath.Join(pl.p, "kept2/f2"), filepath.Join(pl.p, "kept2/g2")))
			pl.arrives(t, h, "a change with a brick less")
			p.RestartBrick(t, 1)
			p.back(t)
			p.HealFull(t)
			pl.write(t, "kept3/f3", []byte("a change with all of them"))
			pl.arrives(t, h, "a change with all of them")
			if said := complaints(h.stderr.String()); len(said) > 0 {
				t.Errorf("it complained: %q", said)
			}
			h.stop(syscall.SIGTERM)
			pl.clean(t)
			p.unmounted(t)
		})
	}
}

// TestGlusterSecondaryBrickDies kills a brick of the secondary again and again
// while it is filled. No mark may say that something is there which is not: what
// the next run takes for equal is compared.
func TestGlusterSecondaryBrickDies(t *testing.T) {
	t.Parallel()
	for _, layout := range []glusterlab.Layout{glusterlab.One, glusterlab.Dist2} {
		t.Run(layout.String(), func(t *testing.T) {
			t.Parallel()
			s := newVol(t, "target-"+layout.String(), layout, false)
			pl := newGlusterPlace(t, nil, s)
			const dirs = 40
			pl.fill(t, "d", dirs)
			h := pl.start(t, "-c", pl.glusterConfig(t, pl.p, s.URL(), swept("24h")))
			brick, before := s.Bricks()-1, 0
			for i, part := range []int{30, 150} {
				h.until("it is being filled", func() bool { return files(s.BrickDir(brick), "d") > part/s.Bricks() })
				s.KillBrick(t, brick)
				t.Logf("killed with %d of %d files on this brick", files(s.BrickDir(brick), "d"), 8*dirs)
				pl.write(t, fmt.Sprintf("d%d/more", i), []byte("more"))
				check(t, os.Remove(filepath.Join(pl.p, fmt.Sprintf("d%d/f5", i))))
				h.until("it says that it cannot go on", func() bool { return h.said("will be tried again") > i })
				before = h.said(`msg="in sync"`) // perhaps before the brick was killed
				s.RestartBrick(t, brick)
				s.back(t)
			}
			h.until("it says that all is well", func() bool { return h.said(`msg="in sync"`) > before })
			if !pl.inSync(t) {
				t.Error("it says that the sides are in sync, and they are not")
			}
			h.stop(syscall.SIGTERM)
			pl.clean(t)
			s.unmounted(t)
		})
	}
}
