package mover

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/localfs"
)

func TestBucket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBucket(1000)
		start := time.Now()
		for range 50 {
			if err := b.take(t.Context(), 100); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(start); took < 4800*time.Millisecond || took > 5100*time.Millisecond {
			t.Errorf("5000 bytes at 1000 a second took %s", took)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := b.take(ctx, 1<<20); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v", err)
		}
	})
	var none *bucket
	if none.take(t.Context(), 1<<40) != nil || none.piece(7) != 7 {
		t.Error("no bucket is a limit")
	}
}

func TestGather(t *testing.T) {
	for _, lim := range []limits{streamBatches(), directBatches(), transferBatches(3), {files: 1, bytes: 1, share: 1}} {
		in, out := make(chan item), make(chan []item)
		go gather(t.Context(), in, out, lim)
		const n = 5000
		go func() {
			defer close(in)
			for i := range n {
				in <- item{Job: Job{Path: sdk.Path(fmt.Sprintf("d%d/f%d", i/100, i)), Entry: sdk.Entry{Size: int64(i%7) << 20}}}
			}
		}()
		got := 0
		for batch := range out {
			if len(batch) == 0 || len(batch) > lim.files {
				t.Fatalf("batch of %d, limit %d", len(batch), lim.files)
			}
			if len(batch) > 1 && sum(batch) > lim.bytes {
				t.Errorf("batch of %d bytes, limit %d", sum(batch), lim.bytes)
			}
			for i := range batch {
				if want := sdk.Path(fmt.Sprintf("d%d/f%d", got/100, got)); batch[i].Path != want {
					t.Fatalf("%q comes where %q should", batch[i].Path, want)
				}
				got++
			}
		}
		if got != n {
			t.Errorf("%d of %d came out", got, n)
		}
	}
}

func TestShares(t *testing.T) {
	held := make([]item, 12)
	for i := range held {
		held[i].Entry.Size = 10
	}
	if n := transferBatches(3).cut(held); n != 4 {
		t.Errorf("the first of three workers gets %d of 12", n)
	}
	if n := transferBatches(3).cut(held[:1]); n != 1 {
		t.Errorf("a single file is cut to %d", n)
	}
}

func TestMeasuredChoice(t *testing.T) {
	c := &choice{method: Auto, plugin: true, threshold: 10, local: true}
	old := sdk.Entry{Size: 5}
	it := item{Job: Job{Entry: sdk.Entry{Size: 100}, Old: &old}}
	c.measured(true, &it, 1)
	c.measured(false, &it, 10)
	plugin, again := 0, 0
	for range 2 * remeasure {
		p, reason := c.pick(&it.Job)
		if p {
			plugin++
		}
		if reason == "to measure" {
			again++
		}
	}
	if plugin != 2*remeasure-2 || again != 2 {
		t.Errorf("%d times the faster one, %d times to measure", plugin, again)
	}
	for range 20 {
		c.measured(false, &it, 0.01) // the disk became quick
	}
	if p, _ := c.pick(&it.Job); p {
		t.Error("the slower one is still preferred")
	}
}

// TestSettledStoreIsSeen: after settle, a store through a mapping that was
// there before moves the change time.
func TestSettledStoreIsSeen(t *testing.T) {
	dir := t.TempDir()
	root, err := localfs.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil || fs.Type == unix.TMPFS_MAGIC {
		t.Skip("SKIPPED, NOT TESTED: on tmpfs nothing is written back")
	}
	f, err := os.Create(filepath.Join(dir, "f"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Write(make([]byte, 4096)); err != nil {
		t.Fatal(err)
	}
	m, err := unix.Mmap(int(f.Fd()), 0, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Munmap(m)
	m[0]++
	r, err := root.OpenFile("f")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	before, err := root.StatFile(r)
	if err != nil {
		t.Fatal(err)
	}
	s := settler{root: root}
	if err := s.settle(r, &before); err != nil {
		t.Fatal(err)
	}
	m[0]++
	after, err := root.StatFile(r)
	if err != nil {
		t.Fatal(err)
	}
	if sameVersion(&before, &after) {
		t.Error("a store after settle does not show")
	}
}
