package marker

import (
	"context"
	"errors"
	"testing"

	"github.com/gsyncd/gsyncd-host/sdk"
)

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

// A pass that breaks off after it saw a file changed, or missed a directory with one
// of its names, leaves the directories of the others to the next.
func TestBrokenPassLeavesNames(t *testing.T) {
	for what, change := range map[string]func(*rig){
		"changed": func(r *rig) { r.fs.write("a/name") },
		"gone":    func(r *rig) { r.fs.remove("a/in/name"); r.fs.remove("a/in") },
	} {
		t.Run(what, func(t *testing.T) {
			r := newRigTold(t, names)
			r.fs.mkdirAll("a/in")
			r.fs.create("a/name")
			r.fs.link("a/name", "a/in/name")
			r.fs.mkdir("b")
			r.fs.link("a/name", "b/name")
			r.fs.mkdir("c")
			r.quiet()
			before := r.xtimes()
			change(r)
			r.fs.create("c/new")
			r.fs.pass()
			r.fs.onList = func(p sdk.Path) {
				if p == "c" {
					r.fs.broken = &sdk.Error{Kind: sdk.KindGone, Op: "scan"}
				}
			}
			hint := Hint{Dirs: []sdk.FileID{r.fs.id("a"), r.fs.id("c")}}
			if _, err := r.m.Refresh(t.Context(), r.fs, hint); err == nil {
				t.Fatal("no error")
			}
			r.fs.onList, r.fs.broken = nil, nil
			clear(r.fs.dirty)
			for range 3 {
				if p := r.quiet(); p.Swept {
					t.Errorf("pass: %+v", p)
				}
			}
			if got := changed(before, r.xtimes()); !got["b"] || !got["c"] {
				t.Errorf("changed: %v", got)
			}
		})
	}
}

// What a directory below was found at in a listing that broke off does not count
// for a second one in the same pass.
func TestListedTwice(t *testing.T) {
	r := wide(t, native, 5)
	// The index has d00/e00 in doubt, and lists it before it is found.
	r.fs.must("d00/e00").fail = &sdk.Error{Kind: sdk.KindTransient, Op: "list"}
	r.fs.chmod("d00/e00", 0o700)
	r.look()
	r.quiet()
	r.fs.cut = 1 // what is in it is seen, then the listing breaks off
	r.fs.onList = func(p sdk.Path) {
		if p == "d00" {
			r.fs.must("d00/e00").fail = nil
			r.fs.write("d00/e00/f0/file")
		}
	}
	before := r.xtimes()
	r.look()
	r.fs.onList, r.fs.cut = nil, 0
	for range 2 {
		r.fs.pass()
		r.look()
	}
	if got := changed(before, r.xtimes()); !got["d00/e00/f0"] {
		t.Errorf("the change went unseen: %v", got)
	}
}
