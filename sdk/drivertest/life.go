package drivertest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// testBeacon holds the clock to its promise: no change made before a reading
// has a time after it, and one made after it lies within the window.
func testBeacon(t T, s *suite) {
	src, tree := s.source(t, nil)
	var last sdk.Time
	for i := range 50 {
		put(t, tree.Dir, "f", fmt.Sprint(i))
		b, err := src.Beacon(t.Context())
		must(t, err)
		c := stat(t, src, "f", 0).Ctime
		if c.Compare(b.Now) > 0 || b.Now.Compare(last) < 0 || b.Window <= 0 {
			t.Fatalf("changed at %v, then the beacon was %v, before that %v, window %v", c, b.Now, last, b.Window)
		}
		put(t, tree.Dir, "f", fmt.Sprint(-i))
		c = stat(t, src, "f", 0).Ctime
		if c.Compare(b.Now.Add(-int64(b.Window))) < 0 {
			t.Fatalf("a change after the beacon %v has time %v, window %v", b.Now, c, b.Window)
		}
		last = b.Now
	}
}

func testCancel(t T, s *suite) {
	files := s.many(100)
	src, _ := s.source(t, func(dir string) {
		for i := range 30 {
			mkdirAll(t, dir, fmt.Sprintf("%02d", i))
			for j := range files {
				put(t, dir, fmt.Sprintf("%02d/%02d", i, j), "")
			}
		}
		put(t, dir, "large", string(noise(32<<20)))
	})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := src.Scan(ctx, sdk.ScanRequest{Dirs: []sdk.Path{"."}}, newRecorder(1)); !errors.Is(err, context.Canceled) {
		t.Errorf("scan: %v", err)
	}
	if _, err := src.Stat(ctx, []sdk.Path{"."}, 0); !errors.Is(err, context.Canceled) {
		t.Errorf("stat: %v", err)
	}
	var dirs []sdk.Path
	for range 10 {
		for i := range 30 {
			dirs = append(dirs, sdk.Path(fmt.Sprintf("%02d", i)))
		}
	}
	ctx, cancel = context.WithCancel(t.Context())
	defer cancel()
	rec := newRecorder(len(dirs))
	rec.onBegin = func(i int) {
		if i == 3 {
			cancel()
		}
	}
	if err := src.Scan(ctx, sdk.ScanRequest{Dirs: dirs}, rec); !errors.Is(err, context.Canceled) {
		t.Errorf("scan, cancelled on its way: %v", err)
	}
	ctx, cancel = context.WithCancel(t.Context())
	defer cancel()
	reads := &readRecorder{files: make([]readFile, 3), onData: func(int, int64) { cancel() }}
	if err := src.Read(ctx, []sdk.Path{"large", "large", "large"}, reads); !errors.Is(err, context.Canceled) {
		t.Errorf("read, cancelled on its way: %v", err)
	}
	// The resource is as good as before.
	if l := list(t, src, 0, "00"); len(l.entries) != files {
		t.Errorf("%d entries", len(l.entries))
	}
}

func testCancelWrite(t T, s *suite) {
	dst, tree := s.target(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	w, err := dst.Write(ctx)
	must(t, err)
	must(t, w.Begin(sdk.NewFile{Path: "half", Size: 10, Meta: meta()}))
	must(t, w.Data(0, []byte("12345")))
	cancel()
	if _, err := w.Close(); err == nil {
		t.Error("a stream whose context ended closed well")
	}
	if _, err := dst.Apply(ctx, []sdk.Op{{Kind: sdk.OpMkdir, Path: "x"}}); !errors.Is(err, context.Canceled) {
		t.Errorf("apply: %v", err)
	}
	poll(t, "half a file to be removed", func() bool {
		_, err := os.Lstat(filepath.Join(tree.Dir, "half"))
		return os.IsNotExist(err)
	})
	gone(t, filepath.Join(tree.Dir, "x"))
}

// poll waits for what a process does in its own time.
func poll(t T, what string, done func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(checkLimit / 2)
	for !done() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

func testConcurrent(t T, s *suite) {
	dst, tree := s.target(t, func(dir string) {
		for i := range 8 {
			mkdirAll(t, dir, fmt.Sprintf("d%d/in", i))
			// Two at a time take the rights to one directory.
			must(t, os.Chmod(filepath.Join(dir, fmt.Sprintf("d%d", i)), 0o555))
		}
	})
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range s.many(30) {
				dir := sdk.Path(fmt.Sprintf("d%d", i/2*2))
				p := dir.Join(fmt.Sprintf("%d-%d", i, j))
				out, err := dst.Apply(t.Context(), []sdk.Op{{Kind: sdk.OpMkdir, Path: p}, {Kind: sdk.OpSymlink, Path: p.Join("l"), Target: "x", Meta: meta()}})
				if err != nil || out[0].Err != nil || out[1].Err != nil {
					t.Errorf("apply %s: %v %v", p, err, out)
					return
				}
				rec := newRecorder(2)
				if err := dst.Scan(t.Context(), sdk.ScanRequest{Dirs: []sdk.Path{p, dir}, Fields: sdk.FieldMark | sdk.FieldTarget}, rec); err != nil || rec.dirs[0].err != nil || len(rec.dirs[0].entries) != 1 {
					t.Errorf("scan %s: %v", p, err)
					return
				}
				if j%10 == 0 {
					if err := dst.Sync(t.Context()); err != nil {
						t.Errorf("sync: %v", err)
					}
				}
			}
		})
	}
	wg.Wait()
	for i := range 8 {
		if st := sys(t, filepath.Join(tree.Dir, fmt.Sprintf("d%d", i))); st.Mode&0o7777 != 0o555 {
			t.Errorf("d%d: mode %o", i, st.Mode&0o7777)
		}
	}
	for i := range 8 {
		apply(t, dst, sdk.Op{Kind: sdk.OpRemoveTree, Path: sdk.Path(fmt.Sprintf("d%d", i))})
	}
}

func testIdentity(t T, s *suite) {
	src, tree := s.source(t, nil)
	a, err := src.Identity(t.Context())
	must(t, err)
	b, err := src.Identity(t.Context())
	must(t, err)
	if a != b || a.Filesystem == "" || a.Root.IsZero() {
		t.Errorf("%+v, then %+v", a, b)
	}
	if root := list(t, src, 0, sdk.Root).self.ID; root != a.Root {
		t.Errorf("identity says %v, the scan %v", a.Root, root)
	}
	other, _ := s.source(t, nil)
	c, err := other.Identity(t.Context())
	must(t, err)
	if c == a || (c.Filesystem != a.Filesystem) != s.cfg.Mounted {
		t.Errorf("two trees: %+v, %+v", a, c)
	}
	if s.cfg.Mounted {
		return
	}
	must(t, os.Rename(tree.Dir, tree.Dir+".old"))
	t.Cleanup(func() { os.RemoveAll(tree.Dir + ".old") })
	if _, err := src.Identity(t.Context()); sdk.KindOf(err) != sdk.KindNotExist {
		t.Errorf("root gone: %v", err)
	}
	must(t, os.Mkdir(tree.Dir, 0o755))
	if _, err := src.Identity(t.Context()); sdk.KindOf(err) != sdk.KindChanged {
		t.Errorf("root replaced: %v", err)
	}
}

func testBusy(t T, s *suite) {
	dst, tree := s.target(t, nil)
	req := s.request(t, tree, sdk.Secondary)
	if second, err := s.driver.OpenTarget(t.Context(), req); sdk.KindOf(err) != sdk.KindBusy {
		if err == nil {
			second.Close()
		}
		t.Errorf("second open: %v", err)
	}
	must(t, dst.Close())
	third, err := s.driver.OpenTarget(t.Context(), req)
	if err != nil {
		t.Fatalf("open after close: %v", err)
	}
	must(t, third.Close())
}

func testMakesRoot(t T, s *suite) {
	s.needs(t, sdk.Secondary)
	if s.cfg.Mounted {
		t.Skip("the root is a mount")
	}
	tree := s.cfg.NewTree(t)
	must(t, os.Remove(tree.Dir))
	req := s.request(t, tree, sdk.Secondary)
	dst, err := s.driver.OpenTarget(t.Context(), req)
	must(t, err)
	must(t, dst.Close())
	if st, err := os.Stat(tree.Dir); err != nil || !st.IsDir() {
		t.Errorf("root: %v", err)
	}
	s.ours(t, tree.Dir)
	must(t, os.Remove(tree.Dir))
	put(t, filepath.Dir(tree.Dir), filepath.Base(tree.Dir), "no directory")
	if dst, err := s.driver.OpenTarget(t.Context(), req); err == nil {
		dst.Close()
		t.Error("a file was opened as root")
	}
	req.Role = sdk.Primary
	must(t, os.Remove(tree.Dir))
	if src, err := s.driver.OpenSource(t.Context(), req); sdk.KindOf(err) != sdk.KindNotExist {
		if err == nil {
			src.Close()
		}
		t.Errorf("a source that is not there: %v", err)
	}
}

func testClose(t T, s *suite) {
	src, _ := s.source(t, nil)
	must(t, src.Close())
	must(t, src.Close())
	if _, err := src.Stat(t.Context(), []sdk.Path{"."}, 0); sdk.KindOf(err) != sdk.KindGone {
		t.Errorf("stat after close: %v", err)
	}
	dst, tree := s.target(t, nil)
	w, err := dst.Write(t.Context())
	must(t, err)
	must(t, w.Begin(sdk.NewFile{Path: "f", Size: 1, Meta: meta()}))
	must(t, dst.Close())
	must(t, dst.Close())
	w.Close()
	if _, err := dst.Apply(t.Context(), []sdk.Op{{Kind: sdk.OpMkdir, Path: "x"}}); sdk.KindOf(err) != sdk.KindGone {
		t.Errorf("apply after close: %v", err)
	}
	poll(t, "half a file to be removed", func() bool {
		_, err := os.Lstat(filepath.Join(tree.Dir, "f"))
		return os.IsNotExist(err)
	})
}

// testSourceWritesNothing compares a primary before and after all that can be
// asked of it, down to the change times.
func testSourceWritesNothing(t T, s *suite) {
	src, tree := s.source(t, func(dir string) {
		mkdirAll(t, dir, "a/b", "empty")
		put(t, dir, "a/f", "f")
		put(t, dir, "a/b/g", "g")
		must(t, os.Symlink("a", filepath.Join(dir, "link")))
		must(t, os.Chmod(filepath.Join(dir, "a/b"), 0o555))
	})
	t.Cleanup(func() { os.Chmod(filepath.Join(tree.Dir, "a/b"), 0o755) })
	must(t, src.Close())
	look := func() []string {
		var out []string
		must(t, filepath.WalkDir(tree.Dir, func(path string, _ os.DirEntry, err error) error {
			if err != nil {
				return err
			}
			out = append(out, path+" "+stamp(sys(t, path)))
			return nil
		}))
		return out
	}
	before := look()
	req := s.request(t, tree, sdk.Primary)
	s.driver.Check(t.Context(), req)
	src, err := s.driver.OpenSource(t.Context(), req)
	must(t, err)
	scan(t, src, sdk.FieldMark|sdk.FieldTarget|sdk.FieldXattrs, ".", "a", "a/b", "empty")
	stat(t, src, "a/f", sdk.FieldXattrs)
	for range 3 {
		_, err := src.Beacon(t.Context())
		must(t, err)
	}
	_, err = src.Identity(t.Context())
	must(t, err)
	read(t.Context(), t, src, &readRecorder{}, "a/f", "a/b/g")
	must(t, src.Close())
	if diff := cmp.Diff(before, look()); diff != "" {
		t.Errorf("the primary was changed:\n%s", diff)
	}
}
