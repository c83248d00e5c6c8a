package marker

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// small makes a tree of a few directories and lets it settle.
func small(t *testing.T) *rig {
	r := newRig(t)
	for _, p := range []sdk.Path{"a/b/c", "a/x", "d/e"} {
		r.fs.mkdirAll(p)
	}
	for _, p := range []sdk.Path{"f", "a/b/c/f", "a/x/f", "d/e/f", "d/g"} {
		r.fs.create(p)
	}
	r.quiet()
	return r
}

func TestFirstPass(t *testing.T) {
	r := newRig(t)
	r.fs.mkdirAll("a/b")
	r.fs.create("a/f")
	r.fs.create(".gsyncd-host.x")
	r.fs.pass()
	p := r.look()
	if p.Dirs != 3 || p.Entries != 3 || p.Bytes != 10 || !p.Changed || p.Racy || len(p.Problems) != 0 {
		t.Errorf("pass: %+v", p)
	}
	for path, x := range r.xtimes() {
		if x != p.Root || x.IsZero() || x.Epoch == 0 {
			t.Errorf("xtime of %s: %v, root %v", path, x, p.Root)
		}
	}
	if x, ok := r.m.XTime(sdk.FileID{Ino: 99}); ok {
		t.Errorf("xtime of a stranger: %v", x)
	}
	if !strings.Contains(r.log.String(), "no index") {
		t.Errorf("log: %s", &r.log)
	}
}

func TestNothingChanged(t *testing.T) {
	r := small(t)
	before, index := r.xtimes(), r.index()
	for range 3 {
		if p := r.look(); p.Changed {
			t.Error("changed")
		}
	}
	r.expect("xtimes", before, r.xtimes())
	r.expect("index", index, r.index())
	r.fs.create("a/" + sdk.ReservedPrefix + "tmp")
	r.fs.must("a").entry.Mtime = r.fs.must("d").entry.Mtime
	if err := r.m.Close(); err != nil {
		t.Fatal(err)
	}
	r.open()
	r.expect("xtimes after a restart", before, r.xtimes())
	if r.m.clock.last > uint64(r.wall.UnixNano()) {
		t.Error("the clock runs ahead after a clean restart")
	}
}

func TestChanges(t *testing.T) {
	for _, tt := range []struct {
		name string
		do   func(f *fakeFS)
		want map[sdk.Path]bool
	}{
		{"deep file", func(f *fakeFS) { f.write("a/b/c/f") }, set(".", "a", "a/b", "a/b/c")},
		{"new file", func(f *fakeFS) { f.create("a/x/new") }, set(".", "a", "a/x")},
		{"delete", func(f *fakeFS) { f.remove("d/e/f") }, set(".", "d", "d/e")},
		{"mode of a directory", func(f *fakeFS) { f.chmod("a/b", 0o700) }, set(".", "a", "a/b")},
		{"attribute of a directory", func(f *fakeFS) { f.touched(f.must("a/b")) }, set(".", "a", "a/b")},
		{"mode of the root", func(f *fakeFS) { f.chmod(".", 0o700) }, set(".")},
		{"new directory", func(f *fakeFS) { f.mkdir("a/n") }, set(".", "a", "a/n")},
		{"delete a directory", func(f *fakeFS) { f.remove("d/e") }, set(".", "d")},
		{"same size, mtime set back", func(f *fakeFS) {
			was := f.must("d/e/f").entry.Mtime
			f.write("d/e/f")
			f.must("d/e/f").entry.Mtime = was
		}, set(".", "d", "d/e")},
		{"hard link in another directory", func(f *fakeFS) { f.link("a/x/f", "d/l") }, set(".", "a", "a/x", "d")},
		{"replaced by another of the same kind", func(f *fakeFS) { f.remove("d/g"); f.create("d/g") }, set(".", "d")},
		{"file becomes a directory", func(f *fakeFS) { f.remove("d/g"); f.mkdir("d/g") }, set(".", "d", "d/g")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := small(t)
			before := r.xtimes()
			r.fs.pass()
			tt.do(r.fs)
			r.fs.pass()
			if p := r.look(); !p.Changed || p.Racy {
				t.Errorf("pass: %+v", p)
			}
			after := r.xtimes()
			r.expect("changed", tt.want, changed(before, after))
			r.crash()
			r.expect("after a crash", after, r.xtimes())
			if p := r.look(); p.Changed {
				t.Error("changed by a crash")
			}
		})
	}
}

func TestRenamedDirectory(t *testing.T) {
	r := small(t)
	before := r.xtimes()
	r.fs.rename("a/b", "d/b")
	r.quiet()
	before["d/b"], before["d/b/c"] = before["a/b"], before["a/b/c"]
	r.expect("changed", set(".", "a", "d"), changed(before, r.xtimes()))
}

func TestRacyWindow(t *testing.T) {
	r := small(t)
	r.fs.pass()
	r.fs.write("a/x/f")
	if p := r.look(); !p.Racy || !p.Changed {
		t.Fatalf("first pass: %+v", p)
	}
	one := r.xtimes()
	// Within the same tick, so that no attribute tells.
	r.fs.write("a/x/f")
	r.fs.pass()
	if p := r.look(); p.Racy || !p.Changed {
		t.Fatalf("second pass: %+v", p)
	}
	two := r.xtimes()
	r.expect("looked at again", set(".", "a", "a/x"), changed(one, two))
	if p := r.look(); p.Changed {
		t.Error("and again")
	}
}

func TestChangeTimeInTheFuture(t *testing.T) {
	r := small(t)
	r.fs.pass()
	o := r.fs.must("a/x/f")
	o.entry.Ctime = r.fs.ctime().Add(int64(time.Hour))
	if p := r.look(); p.Racy || !p.Changed {
		t.Fatalf("first pass: %+v", p)
	}
	if p := r.look(); p.Racy || p.Changed {
		t.Fatalf("a change time of next hour makes the marker spin: %+v", p)
	}
	// The clock gets there, and a change has the very same time.
	r.fs.now += int64(time.Hour)
	r.fs.write("a/x/f")
	o.entry.Ctime = nanos(r.fs.now - r.fs.now%r.fs.step)
	r.fs.pass()
	if p := r.look(); !p.Changed {
		t.Error("change missed")
	}
}

func TestClockSetBack(t *testing.T) {
	r := small(t)
	for i := range 4 {
		before := r.xtimes()
		r.wall = r.wall.Add(-24 * time.Hour)
		if i == 2 {
			r.crash()
		}
		r.fs.write("a/b/c/f")
		r.quiet()
		after := r.xtimes()
		for _, p := range []sdk.Path{".", "a", "a/b", "a/b/c"} {
			if after[p].Seq <= before[p].Seq || after[p].Epoch != before[p].Epoch {
				t.Errorf("xtime of %s went from %v to %v", p, before[p], after[p])
			}
		}
		r.expect("d", before["d"], after["d"])
	}
}

func TestForeignIndex(t *testing.T) {
	for name, swap := range map[string]func(r *rig){
		"filesystem": func(r *rig) { r.fs.ident = "fake-2" },
		"root":       func(r *rig) { r.fs.root.entry.ID.Gen++ },
	} {
		t.Run(name, func(t *testing.T) {
			r := small(t)
			before := r.look().Root
			swap(r)
			if p := r.look(); p.Root.Epoch == before.Epoch {
				t.Error("same epoch for another tree")
			}
			if !strings.Contains(r.log.String(), "another tree") {
				t.Errorf("log: %s", &r.log)
			}
			after := r.xtimes()
			r.crash()
			r.expect("after a crash", after, r.xtimes())
		})
	}
}

func TestOpenErrors(t *testing.T) {
	dir := t.TempDir()
	if _, err := Open(filepath.Join(dir, "none"), Options{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing directory: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(filepath.Join(dir, "file"), Options{}); err == nil {
		t.Error("a file is no directory")
	}
	if _, err := Open(dir, Options{Rand: strings.NewReader("")}); err == nil {
		t.Error("an epoch without randomness")
	}
	r := newRig(t)
	if err := r.m.Close(); err != nil {
		t.Fatal(err)
	}
	if err := r.m.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := r.m.Refresh(t.Context(), r.fs, Hint{}); !errors.Is(err, ErrClosed) {
		t.Errorf("refresh after close: %v", err)
	}
}

// Questions may be asked while a pass goes on, and are answered from the last.
func TestConcurrentUse(t *testing.T) {
	r := small(t)
	id, before := r.fs.id("a"), r.xtimes()["a"]
	file := r.fs.id("a/x/f")
	r.fs.link("a/x/f", "d/l")
	r.fs.rename("a/b", "d/b")
	asked := make(chan sdk.XTime)
	r.fs.onList = func(p sdk.Path) {
		if p != "d/e" {
			return
		}
		go func() {
			x, _ := r.m.XTime(id)
			r.m.Links(file)
			r.m.Moved(id)
			asked <- x
		}()
		r.expect("xtime during the pass", before, <-asked)
	}
	r.look()
	if r.xtimes()["a"] == before {
		t.Error("xtime after the pass is the old one")
	}
}
