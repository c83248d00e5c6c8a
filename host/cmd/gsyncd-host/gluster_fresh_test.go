package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/gsyncd/gsyncd-host/plugins/gluster/glusterlab"
)

// TestGlusterFresh rewrites files of a volume in place, several times within a
// second and always with the same size, while they are mirrored. The mirror reads
// through another mount, whose caches must not make it keep what was before.
func TestGlusterFresh(t *testing.T) {
	t.Parallel()
	p := newVol(t, "fresh", glusterlab.One, true)
	pl := newGlusterPlace(t, p, nil)
	const writers, turns = 6, 5
	for i := range writers {
		pl.write(t, fmt.Sprintf("d%d/f", i), []byte("0000"))
	}
	h := pl.start(t, "-c", pl.glusterConfig(t, p.URL(), pl.s, swept("24h")))
	pl.arrives(t, h, "the first state")
	var mu sync.Mutex
	var took []time.Duration
	var wg sync.WaitGroup
	for i := range writers {
		wg.Go(func() {
			name := fmt.Sprintf("d%d/f", i)
			for turn := range turns {
				var last string
				for k := range 2 + (i+turn)%4 {
					last = fmt.Sprintf("%d%d%d.", i, turn, k)
					if err := rewrite(filepath.Join(pl.p, name), last); err != nil {
						t.Error(err)
						return
					}
					if !wait(t.Context(), time.Duration(70*(k+i)%300)*time.Millisecond) {
						return
					}
				}
				began := time.Now()
				for {
					data, err := os.ReadFile(filepath.Join(pl.s, name))
					if err == nil && string(data) == last {
						break
					}
					if time.Since(began) > patience || !wait(t.Context(), 5*time.Millisecond) {
						t.Errorf("%s holds %q after %v, want %q (%v)", name, data, time.Since(began), last, err)
						return
					}
				}
				mu.Lock()
				took = append(took, time.Since(began))
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if len(took) != writers*turns {
		t.Fatalf("%d of %d contents arrived", len(took), writers*turns)
	}
	slices.Sort(took)
	t.Logf("until the last content is there: half of them %v, the slowest %v", took[len(took)/2], took[len(took)-1])
	pl.arrives(t, h, "all of it")
	h.stop(syscall.SIGTERM)
	pl.clean(t)
}

// rewrite writes over a file's content, which has the same size.
func rewrite(path, text string) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	if _, err := f.WriteString(text); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}

// TestGlusterIndexAnew turns the index off and on under a running mirror, and
// between two. Nothing is sent again, and what changed without marks is found.
func TestGlusterIndexAnew(t *testing.T) {
	t.Parallel()
	p := newVol(t, "anew", glusterlab.Dist2, true)
	pl := newGlusterPlace(t, p, nil)
	pl.fill(t, "d", 6)
	config := pl.glusterConfig(t, p.URL(), pl.s, swept("24h"))
	h := pl.start(t, "-c", config)
	pl.arrives(t, h, "the first state")
	before := inodes(t, pl.s)
	same := func(when string) {
		t.Helper()
		for name, ino := range inodes(t, pl.s) {
			if was := before[name]; was != 0 && was != ino && filepath.Base(name) != "changed" {
				t.Errorf("%s: %s was made anew", when, name)
			}
		}
	}
	anew := func(text string) {
		t.Helper()
		p.Index(t, false)
		pl.write(t, "d3/changed", []byte(text))
		p.Index(t, true)
	}
	anew("under a mirror")
	pl.arrives(t, h, "a change without marks")
	pl.write(t, "d4/changed", []byte("marked again"))
	pl.arrives(t, h, "a change with new marks")
	same("under a mirror")

	p.Stop(t)
	h.until("it says that the volume is gone", func() bool { return h.said("will be tried again") > 0 })
	p.Start(t)
	p.back(t)
	pl.write(t, "d5/changed", []byte("after the start"))
	pl.arrives(t, h, "a change after the volume was stopped and started")
	same("stopped and started")

	h.stop(syscall.SIGTERM)
	anew("between two")
	h = pl.run(t, 0, "-c", config)
	if !pl.inSync(t) {
		t.Error("the trees differ")
	}
	same("between two")
	t.Logf("%s", h.stdout.String())
	pl.clean(t)
}

// inodes tells the inodes of a tree's files.
func inodes(t *testing.T, root string) map[string]uint64 {
	t.Helper()
	all := map[string]uint64{}
	names, err := filepath.Glob(filepath.Join(root, "*/*"))
	check(t, err)
	for _, name := range names {
		var st unix.Stat_t
		check(t, unix.Lstat(name, &st))
		all[name] = st.Ino
	}
	return all
}
