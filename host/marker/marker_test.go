package marker

import (
	"context"
	"errors"
	"fmt"
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

func TestUnreadable(t *testing.T) {
	r := small(t)
	before := r.xtimes()
	r.fs.pass()
	denied := &sdk.Error{Kind: sdk.KindPermission, Op: "open", Path: "a/b"}
	r.fs.must("a/b").fail = denied
	p := r.look()
	r.expect("problems", []Problem{{"a/b", denied}}, p.Problems)
	one := r.xtimes()
	r.expect("begins", set(".", "a", "a/b"), changed(before, one))
	for range 4 {
		if p := r.look(); p.Changed || p.Unlisted != 1 {
			t.Errorf("while it lasts: %+v", p)
		}
	}
	r.expect("what is below stays", one, r.xtimes())
	r.fs.must("a/b").fail = nil
	if p := r.look(); !p.Changed || p.Unlisted != 0 {
		t.Errorf("after it: %+v", p)
	}
	r.expect("ends", set(".", "a", "a/b"), changed(one, r.xtimes()))
}

func TestIncompleteListing(t *testing.T) {
	r := small(t)
	r.fs.must("a").fail = &sdk.Error{Kind: sdk.KindTransient, Op: "read"}
	r.fs.cut = 1 // a/b is listed, a/x is not
	x := r.xtimes()["a/x"]
	for range 4 {
		r.look()
	}
	r.expect("a/x", x, r.xtimes()["a/x"])
}

// A directory is never newer than what holds it, be it in one that is not
// stamped for it.
func TestMovedIntoUnlisted(t *testing.T) {
	r := small(t)
	r.fs.must("a").fail = &sdk.Error{Kind: sdk.KindTransient, Op: "read"}
	r.fs.cut = 10 // all entries are listed, and then the error
	r.quiet()
	r.fs.write("d/e/f")
	r.quiet()
	r.fs.rename("d/e", "a/e")
	r.quiet()
	if x := r.xtimes(); x["a"].Seq < x["a/e"].Seq {
		t.Errorf("a has %v, a/e has %v", x["a"], x["a/e"])
	}
}

func TestUnreadableRoot(t *testing.T) {
	r := newRig(t)
	r.fs.root.fail = &sdk.Error{Kind: sdk.KindPermission, Op: "open", Path: "."}
	p := r.look()
	if len(p.Problems) != 1 || p.Root.IsZero() {
		t.Errorf("pass: %+v", p)
	}
	if p := r.look(); p.Changed {
		t.Error("spins")
	}
}

func TestVanished(t *testing.T) {
	r := small(t)
	id := r.fs.id("a/b")
	r.fs.onList = func(p sdk.Path) {
		if p == "a/b" {
			r.fs.remove("a/b")
		}
	}
	if p := r.look(); len(p.Problems) != 0 {
		t.Errorf("problems: %v", p.Problems)
	}
	r.fs.onList = nil
	for range 3 {
		r.quiet()
	}
	if _, ok := r.m.XTime(id); ok {
		t.Error("not forgotten")
	}
	if n := r.m.tree.len(); n != 5 {
		t.Errorf("%d directories are kept, not 5", n)
	}
}

// A directory that is replaced between its parent's listing and its own must
// not lend its content to the one that was found.
func TestSwappedDuringPass(t *testing.T) {
	r := small(t)
	r.fs.pass()
	before := r.xtimes()
	done := false
	r.fs.onList = func(p sdk.Path) {
		if p == "a/b" && !done {
			done = true
			r.fs.rename("a/b", "tmp")
			r.fs.rename("d", "a/b")
			r.fs.rename("tmp", "d")
		}
	}
	if p := r.look(); len(p.Problems) != 0 {
		t.Errorf("problems: %v", p.Problems)
	}
	p := r.quiet()
	r.expect("moves", map[sdk.Path]sdk.Path{"a/b": "d", "d": "a/b"}, byFrom(p.Moves))
	r.expect("what was a/b", before["a/b"], r.xtimes()["d"])
	r.expect("what was d", before["d"], r.xtimes()["a/b"])
	r.quiet()
	if n := r.m.tree.len(); n != len(r.fs.dirs()) {
		t.Errorf("%d directories in the index, %d in the tree", n, len(r.fs.dirs()))
	}
}

func TestAbortedPass(t *testing.T) {
	r := small(t)
	before := r.xtimes()
	r.fs.pass()
	r.fs.write("a/b/c/f")
	r.fs.write("d/e/f")
	r.fs.rename("a/x", "x")
	r.fs.pass()
	r.fs.onList = func(p sdk.Path) {
		if p == "d/e" {
			r.fs.broken = &sdk.Error{Kind: sdk.KindGone, Op: "scan"}
		}
	}
	_, err := r.m.Refresh(t.Context(), r.fs, Hint{All: true})
	if e := (*sdk.Error)(nil); !errors.As(err, &e) || e.Kind != sdk.KindGone {
		t.Fatalf("error: %v", err)
	}
	r.fs.onList, r.fs.broken = nil, nil
	if p := r.look(); len(p.Moves) != 1 {
		t.Errorf("moves: %v", p.Moves)
	}
	after := r.xtimes()
	after["a/x"] = after["x"]
	delete(after, "x")
	r.expect("changed", set(".", "a", "a/b", "a/b/c", "d", "d/e"), changed(before, after))

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.m.Refresh(ctx, r.fs, Hint{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestWriteFails(t *testing.T) {
	r := small(t)
	before := r.xtimes()
	r.fs.write("a/x/f")
	r.fs.pass()
	r.m.journal.file.Close()
	if _, err := r.m.Refresh(t.Context(), r.fs, Hint{All: true}); err == nil {
		t.Fatal("no error from a closed index")
	}
	r.expect("xtimes that are not durable", before, r.xtimes())
	if p := r.look(); !p.Changed {
		t.Error("the change is lost")
	}
	after := r.xtimes()
	r.expect("changed", set(".", "a", "a/x"), changed(before, after))
	r.crash()
	r.expect("after a crash", after, r.xtimes())
}

func TestMountPoint(t *testing.T) {
	r := small(t)
	r.fs.mkdirAll("m/below")
	r.fs.must("m").entry.Mount = true
	r.quiet()
	if _, ok := r.m.XTime(r.fs.id("m")); ok {
		t.Error("a mount point was entered")
	}
	root := r.look().Root
	r.fs.create("m/below/f")
	r.fs.touchedDir(r.fs.must("m"))
	r.fs.pass()
	if p := r.look(); p.Root != root {
		t.Error("what is mounted counts")
	}
	r.fs.chmod("m", 0o700)
	if p := r.look(); p.Root == root {
		t.Error("the mode of a mount point does not count")
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

func TestHardLinks(t *testing.T) {
	r := small(t)
	r.fs.link("a/x/f", "d/l")
	r.fs.link("a/x/f", "a/b/c/l")
	r.fs.must("f").entry.Nlink = 2 // its other name lies outside
	p := r.quiet()
	id := r.fs.id("a/x/f")
	r.expect("links", []sdk.Path{"a/b/c/l", "a/x/f", "d/l"}, r.m.Links(id))
	if got := r.m.Links(r.fs.id("f")); got != nil {
		t.Errorf("links of one name: %v", got)
	}
	r.expect("bytes", int64(50), p.Bytes)
	r.fs.rename("a/b", "z")
	r.fs.remove("d/l")
	r.quiet()
	r.expect("links", []sdk.Path{"a/x/f", "z/c/l"}, r.m.Links(id))
	before := r.xtimes()
	r.fs.write("a/x/f")
	r.quiet()
	r.expect("changed", set(".", "a", "a/x", "z", "z/c"), changed(before, r.xtimes()))
	r.fs.remove("z/c/l")
	r.quiet()
	if got := r.m.Links(id); got != nil {
		t.Errorf("links: %v", got)
	}
}

func TestDeep(t *testing.T) {
	r := newRig(t)
	const levels = 5000
	dir := r.fs.root
	for range levels {
		kid := r.fs.object(sdk.TypeDir)
		dir.kids["d"] = kid
		dir = kid
	}
	leaf := r.fs.object(sdk.TypeRegular)
	dir.kids["f"] = leaf
	r.fs.pass()
	p := r.look()
	if p.Dirs != levels+1 {
		t.Fatalf("%d directories", p.Dirs)
	}
	leaf.entry.Ctime = r.fs.ctime()
	r.fs.pass()
	if q := r.look(); q.Root == p.Root {
		t.Error("change not seen")
	}
	r.crash()
	if q := r.look(); q.Changed || q.Dirs != levels+1 {
		t.Errorf("after a crash: %+v", q)
	}
}

func TestTooDeep(t *testing.T) {
	r := newRig(t)
	dir, name := r.fs.root, strings.Repeat("n", 250)
	for range 200 {
		kid := r.fs.object(sdk.TypeDir)
		dir.kids[name] = kid
		dir = kid
	}
	r.fs.pass()
	p := r.look()
	if p.Unlisted != 1 || p.Problems[0].Err.Kind != sdk.KindInput || p.Problems[0].Path.Validate() != nil {
		t.Errorf("pass: %d unlisted", p.Unlisted)
	}
	if p := r.look(); p.Changed {
		t.Error("spins")
	}
}

func TestWide(t *testing.T) {
	r := newRig(t)
	for i := range 3000 {
		r.fs.root.kids[fmt.Sprintf("d%04d", i)] = r.fs.object(sdk.TypeDir)
		r.fs.root.kids[fmt.Sprintf("f%04d", i)] = r.fs.object(sdk.TypeRegular)
	}
	r.quiet()
	before := r.xtimes()
	r.fs.scans = 0
	r.fs.create("d2999/f")
	r.quiet()
	r.expect("changed", set(".", "d2999"), changed(before, r.xtimes()))
	if r.fs.scans > 20 {
		t.Errorf("%d calls for 3001 directories", r.fs.scans)
	}
}

func TestProblemsAreCapped(t *testing.T) {
	r := newRig(t)
	for i := range MaxProblems + 50 {
		o := r.fs.object(sdk.TypeDir)
		o.fail = &sdk.Error{Kind: sdk.KindPermission}
		r.fs.root.kids[fmt.Sprint(i)] = o
	}
	if p := r.look(); len(p.Problems) != MaxProblems || p.Unlisted != MaxProblems+50 {
		t.Errorf("%d problems of %d", len(p.Problems), p.Unlisted)
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
