package marker

import (
	"testing"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// behind has f done once, right before the directory at is listed.
func (r *rig) behind(at sdk.Path, f func()) {
	r.fs.onList = func(p sdk.Path) {
		if p == at {
			r.fs.onList = nil
			f()
		}
	}
}

// A pass through the whole tree stands for what was not told of. What moved behind
// it was not looked at, and is where it is found: all of it, and nothing else.
func TestMovedBehindTheSweep(t *testing.T) {
	for _, by := range []told{native, names} {
		for what, mv := range map[string]struct{ at, from, to sdk.Path }{
			"found before it moved":  {"d00", "d00", "z"},
			"moved before its place": {"d01", "d01/e00", "d00/z"},
			"deeper":                 {"d02/e00", "d02/e00", "z"},
		} {
			t.Run(string(by)+" "+what, func(t *testing.T) {
				r := wide(t, by, 90) // three of each
				r.fs.skip = func() bool { return true }
				changed := []sdk.FileID{r.fs.id("d00/e00/f0"), r.fs.id("d01/e00/f1"), r.fs.id("d02/e00/f2")}
				for _, p := range []sdk.Path{"d00/e00/f0", "d01/e00/f1", "d02/e00/f2"} {
					r.fs.write(p.Join("file"))
				}
				r.fs.skip = nil
				before := byID(r)
				clear(r.fs.dirty) // nothing tells of it
				r.behind(mv.at, func() { r.fs.rename(mv.from, mv.to) })
				if p := r.lookAt(Hint{All: true, Sweep: true}); !p.Swept {
					t.Errorf("pass: %+v", p)
				}
				r.fs.listed = 0
				r.quiet()
				r.quiet()
				if all := len(r.fs.dirs()); r.fs.listed > 12 {
					t.Errorf("%d of %d directories were listed", r.fs.listed, all)
				}
				after := byID(r)
				for i, id := range changed {
					if before[id] == after[id] {
						t.Errorf("the change in d%02d went unseen", i)
					}
				}
			})
		}
	}
}

// What a pass found and could not look for, as what holds it moved meanwhile, is
// looked at when that is found.
func TestShelved(t *testing.T) {
	r := newRigTold(t, names)
	r.fs.mkdir("p") // older than what will hold it, and so listed before
	r.quiet()
	r.fs.mkdirAll("a/t")
	r.fs.mkdir("b")
	r.fs.rename("p", "a/t/p")
	r.quiet()
	r.quiet()
	r.fs.mkdir("a/t/p/new")
	r.fs.create("a/x")
	r.fs.pass() // nothing young brings the pass back to it
	r.behind("a", func() { r.fs.rename("a/t", "b/t") })
	if p := r.look(); p.Swept {
		t.Errorf("pass: %+v", p)
	}
	r.quiet()
	r.quiet()
	if x := r.xtimes(); x["b/t/p/new"].Seq == 0 {
		t.Errorf("never listed: %v", x)
	}
}

// A name that is made behind a pass through the whole tree, of a file whose directory
// it has listed, is told of by the directory of the new name alone.
func TestLinkedBehindTheSweep(t *testing.T) {
	r := wide(t, names, 5)
	r.crash()
	r.behind("d01/e00/f1", func() { r.fs.link("d00/e00/f0/file", "d01/e00/f1/other") })
	if p := r.look(); !p.Swept {
		t.Errorf("pass: %+v", p)
	}
	r.quiet()
	r.expect("links", []sdk.Path{"d00/e00/f0/file", "d01/e00/f1/other"}, r.m.Links(r.fs.id("d00/e00/f0/file")))
	before := r.xtimes()
	r.fs.write("d01/e00/f1/other")
	r.quiet()
	if got := changed(before, r.xtimes()); !got["d00/e00/f0"] {
		t.Errorf("changed: %v", got)
	}
}

// The directory of one name is listed, then the file is changed under the other one,
// which goes with its directory before the pass comes there.
func TestNameGoneBehindTheSweep(t *testing.T) {
	r := wide(t, names, 5)
	r.fs.link("d00/e00/f0/file", "d00/x")
	r.fs.rename("d00/e00/f0/file", "d01/e00/f1/other")
	r.quiet()
	before := r.xtimes()
	r.behind("d01/e00", func() {
		r.fs.write("d01/e00/f1/other")
		r.fs.remove("d01/e00/f1/other")
		r.fs.remove("d01/e00/f1/file")
		r.fs.remove("d01/e00/f1")
	})
	if p := r.lookAt(Hint{All: true, Sweep: true}); !p.Swept {
		t.Errorf("pass: %+v", p)
	}
	r.quiet()
	if got := changed(before, r.xtimes()); !got["d00"] {
		t.Errorf("changed: %v", got)
	}
}

// After a restart no name is known. One that goes while the first pass is under way is
// not missed where it was; the other one was listed before.
func TestNameGoneBehindTheFirstPass(t *testing.T) {
	r := wide(t, names, 5)
	r.fs.link("d00/e00/f0/file", "d01/e00/f1/other")
	r.quiet()
	before := r.xtimes()
	r.crash()
	r.behind("d01/e00/f1", func() {
		r.fs.write("d01/e00/f1/other")
		r.fs.remove("d01/e00/f1/other")
	})
	if p := r.look(); !p.Swept {
		t.Errorf("pass: %+v", p)
	}
	if p := r.quiet(); p.Swept {
		t.Errorf("pass: %+v", p)
	}
	if got := changed(before, r.xtimes()); !got["d00/e00/f0"] {
		t.Errorf("changed: %v", got)
	}
}

// A file has names in two directories that a pass misses. One is gone, and what was
// changed by that name shows where the other is found.
func TestNameInWhatMoved(t *testing.T) {
	r := wide(t, names, 5)
	r.fs.mkdirAll("a/gone")
	r.fs.mkdirAll("b/t/keeps")
	r.fs.create("a/gone/name")
	r.fs.link("a/gone/name", "b/t/keeps/other")
	r.quiet()
	keeps := r.fs.id("b/t/keeps")
	before := byID(r)
	r.fs.write("a/gone/name")
	r.fs.remove("a/gone/name")
	r.fs.remove("a/gone")
	r.fs.create("b/new")
	r.fs.pass()
	r.behind("b", func() { r.fs.rename("b/t", "d00/t") })
	if p := r.look(); p.Swept {
		t.Errorf("pass: %+v", p)
	}
	r.quiet()
	if before[keeps] == byID(r)[keeps] {
		t.Error("the change went unseen")
	}
}

// Of a name that was made after the last pass and is gone before the next, nothing
// tells where the file's other names are. The sweep sees what was done by it.
func TestNameThatNoPassSaw(t *testing.T) {
	for _, by := range []told{native, names} {
		r := wide(t, by, 5)
		before := r.xtimes()
		r.fs.link("d00/e00/f0/file", "d01/e00/f1/other")
		r.fs.write("d01/e00/f1/other")
		r.fs.remove("d01/e00/f1/other")
		r.quiet()
		r.expect("told", set(".", "d01", "d01/e00", "d01/e00/f1"), changed(before, r.xtimes()))
		before = r.xtimes()
		r.sweep()
		r.expect("swept", set(".", "d00", "d00/e00", "d00/e00/f0"), changed(before, r.xtimes()))
	}
}

// A file that loses names with their directory costs its other directories, not a
// look at all of the tree.
func TestNamesGoWithTheirDirectory(t *testing.T) {
	for what, link := range map[string][]sdk.Path{"all": {"d01/e00/f1/more"}, "one of two": {"d00/x"}, "one of three": {"d00/x", "d02/x"}} {
		for _, by := range []told{native, names} {
			t.Run(what+" "+string(by), func(t *testing.T) {
				r := wide(t, by, 30)
				for _, p := range link {
					r.fs.link("d01/e00/f1/file", p)
				}
				r.quiet()
				r.quiet()
				for _, name := range []sdk.Path{"d01/e00/f1/file", "d01/e00/f1/more", "d01/e00/f1"} {
					if r.fs.find(name) != nil {
						r.fs.remove(name)
					}
				}
				for range 4 {
					r.fs.pass()
					if p := r.look(); p.Swept {
						t.Errorf("pass: %+v", p)
					}
				}
				for _, p := range link {
					if r.fs.find(p) != nil && r.fs.must(p).entry.Nlink == 1 && r.m.Links(r.fs.id(p)) != nil {
						t.Errorf("names: %q", r.m.Links(r.fs.id(p)))
					}
				}
			})
		}
	}
}

// A directory that goes before it was ever listed leaves none in doubt.
func TestGoneBeforeItWasListed(t *testing.T) {
	r := newRigTold(t, names)
	r.fs.mkdir("a")
	r.quiet()
	r.fs.mkdir("a/new")
	r.fs.pass()
	r.behind("a/new", func() { r.fs.remove("a/new") })
	r.look()
	r.quiet()
	if a := r.m.tree.byID[r.fs.id("a")]; r.m.tree.at(a).is(flagsPending) {
		t.Errorf("flags %b", r.m.tree.at(a).flags)
	}
}

// A further name of a file that is made during a pass through the whole tree,
// where that was already, is found all the same.
func TestNameMadeBehindThePass(t *testing.T) {
	r := newRigTold(t, names)
	for _, p := range []sdk.Path{"a", "b", "c"} {
		r.fs.mkdir(p)
		r.fs.create(p.Join("file"))
	}
	r.quiet()
	var seen []sdk.Path // directories that are listed, in order
	r.fs.onList = func(p sdk.Path) { seen = append(seen, p) }
	r.fs.pass()
	r.lookAt(Hint{All: true})
	first, last := seen[1], seen[len(seen)-1] // the root is before them
	made := false
	r.fs.onList = func(p sdk.Path) {
		if p == last && !made {
			made = true
			r.fs.link(first.Join("file"), last.Join("more"))
		}
	}
	r.lookAt(Hint{All: true})
	clear(r.fs.dirty) // what told of the link told of the directory of its new name
	r.fs.dirty[r.fs.id(last)] = true
	r.fs.onList = nil
	r.quiet()
	if got := r.m.Links(r.fs.must(first.Join("file")).entry.ID); len(got) != 2 {
		t.Errorf("the names known are %q", got)
	}
	before := r.xtimes()
	r.sweep()
	r.expect("xtimes", before, r.xtimes())
	// A name outside of the tree is not looked for again and again.
	r.fs.must("c/file").entry.Nlink++
	r.fs.write("c/file")
	r.quiet()
	r.fs.pass()
	r.fs.write("c/file")
	if p := r.look(); p.Swept {
		t.Error("a name outside of the tree leads to a look at everything each time")
	}
}
