package marker

import (
	"context"
	"fmt"
	"testing"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// A directory that is gone is forgotten by the pass after the one that missed it. The
// names in it do not stand meanwhile for others that a file was given since: here for
// the one that was made as its only one, before the file had a second again.
func TestNameGoneHidesNone(t *testing.T) {
	r := newRigTold(t, names)
	for _, p := range []sdk.Path{"a", "b", "c", "d"} {
		r.fs.mkdir(p)
	}
	r.fs.create("a/name")
	r.fs.link("a/name", "b/name")
	r.quiet()
	r.fs.rename("b/name", "c/name")
	r.fs.remove("a/name")
	r.fs.remove("b")
	r.fs.pass()
	if p := r.look(); p.Swept {
		t.Errorf("a name that is gone leads to a look at everything: %+v", p)
	}
	before := r.xtimes()
	r.fs.link("c/name", "d/name")
	r.fs.pass()
	r.look()
	r.expect("changed", set(".", "c", "d"), changed(before, r.xtimes()))
}

// A directory on its way is missing for a pass that met its old place and not yet
// its new one. The names in it are none that have to be looked for.
func TestNameOnItsWay(t *testing.T) {
	r := newRigTold(t, names)
	for _, p := range []sdk.Path{"a", "b", "b/in", "c"} {
		r.fs.mkdir(p)
	}
	r.fs.create("a/name")
	r.fs.link("a/name", "b/in/name")
	r.quiet()
	r.fs.rename("b/in", "c/in")
	r.fs.write("a/name")
	for _, at := range []sdk.Path{"b", "c"} {
		clear(r.fs.dirty)
		r.fs.dirty[r.fs.id(at)] = true
		r.fs.dirty[r.fs.id("a")] = true
		r.fs.pass()
		if p := r.look(); p.Swept {
			t.Errorf("%s was told of: %+v", at, p)
		}
	}
	if got := r.m.Links(r.fs.id("a/name")); len(got) != 2 {
		t.Errorf("the names known are %q", got)
	}
}

// That a file has names that are not known is known still after a pass that broke off,
// be it before or while all of the tree is looked at for them.
func TestNamesLookedForAgain(t *testing.T) {
	for _, by := range []told{names, native} {
		for times := range 2 {
			t.Run(fmt.Sprint(by, times), func(t *testing.T) {
				r := newRigTold(t, by)
				for _, p := range []sdk.Path{"a", "b", "c", "d"} {
					r.fs.mkdir(p)
				}
				r.fs.create("a/one")
				r.fs.create("c/two")
				r.fs.link("c/two", "d/two")
				r.quiet()
				before := r.xtimes()
				r.fs.link("a/one", "b/one")
				r.fs.write("c/two") // d is listed because of it
				r.fs.pass()
				met := 0
				r.fs.onList = func(p sdk.Path) {
					if p != "d" {
						return
					}
					if met++; met > times {
						r.fs.broken = &sdk.Error{Kind: sdk.KindGone, Op: "scan"}
					}
				}
				if _, err := r.try(r.tell()); err == nil {
					t.Fatal("no error")
				}
				r.fs.onList, r.fs.broken = nil, nil
				r.quiet()
				r.expect("changed", set(".", "a", "b", "c", "d"), changed(before, r.xtimes()))
			})
		}
	}
}

// A file is met with a name that is gone when a pass through the whole tree comes to
// it. That is taken for one outside of the tree only until the file's directories were
// listed again: another one that is gone would be missed.
func TestNameGoneInFrontOfThePass(t *testing.T) {
	r := newRigTold(t, names)
	for _, p := range []sdk.Path{"a", "b", "c"} {
		r.fs.mkdir(p)
	}
	r.fs.create("a/name")
	r.fs.link("a/name", "b/name")
	r.fs.link("a/name", "c/name")
	var seen []sdk.Path // directories that are listed, in order
	r.fs.onList = func(p sdk.Path) { seen = append(seen, p) }
	r.quiet()
	first, second, last := seen[1], seen[2], seen[3] // the root is before them
	r.m.Close()
	r.open()
	gone := false
	r.fs.onList = func(p sdk.Path) {
		if p == last && !gone {
			gone = true
			r.fs.remove(last.Join("name"))
		}
	}
	r.quiet()
	r.fs.onList = nil
	before := r.xtimes()
	r.fs.remove(first.Join("name"))
	r.fs.pass()
	if p := r.look(); p.Swept {
		t.Errorf("pass: %+v", p)
	}
	r.expect("changed", set(".", first, second), changed(before, r.xtimes()))
}

// What is linked from outside of the tree as well costs no look at everything when a
// name in it is gone, in whatever order that is told of.
func TestNameOutsideStays(t *testing.T) {
	for _, first := range []sdk.Path{"a", "b"} {
		r := newRigTold(t, names)
		r.fs.mkdir("a")
		r.fs.mkdir("b")
		r.fs.mkdir("c")
		r.fs.create("a/name").entry.Nlink++
		r.fs.link("a/name", "b/name")
		r.fs.link("a/name", "c/name")
		r.quiet()
		r.fs.remove("b/name")
		clear(r.fs.dirty)
		r.fs.dirty[r.fs.id(first)] = true
		before := r.xtimes()
		r.fs.pass()
		if p := r.look(); p.Swept {
			t.Errorf("%s first: %+v", first, p)
		}
		r.expect("changed", set(".", "a", "b", "c"), changed(before, r.xtimes()))
	}
}

// unknown is a fakeFS that cannot tell what it is.
type unknown struct{ *fakeFS }

func (unknown) Identity(context.Context) (sdk.Identity, error) {
	return sdk.Identity{}, &sdk.Error{Kind: sdk.KindTransient, Op: "identify"}
}

// A hint whose pass did not even begin is not lost.
func TestHintOfNoPass(t *testing.T) {
	r := wide(t, names, 20)
	r.fs.write("d02/e00/f2/file")
	r.fs.pass()
	before := r.xtimes()
	if _, err := r.m.Refresh(t.Context(), unknown{r.fs}, r.tell()); err == nil {
		t.Fatal("no error")
	}
	r.look()
	if got := changed(before, r.xtimes()); !got["d02/e00/f2"] {
		t.Errorf("changed: %v", got)
	}
}
