package marker

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// wide makes a tree of n directories, each with a file, three levels deep.
func wide(t *testing.T, by told, n int) *rig {
	r := newRigTold(t, by)
	for i := range n {
		p := sdk.Path(fmt.Sprintf("d%02d/e%02d/f%d", i%30, i/30%30, i))
		r.fs.mkdirAll(p)
		r.fs.create(p.Join("file"))
	}
	r.quiet()
	r.fs.listed, r.fs.stats = 0, 0
	return r
}

func TestQuietNative(t *testing.T) {
	r := wide(t, native, 100)
	before, root := r.xtimes(), r.m.tree.at(r.m.tree.root).native
	want := r.lookAt(Hint{All: true, Sweep: true})
	if !want.Swept || want.Dirs == 0 || want.Native != root {
		t.Errorf("sweep: %+v", want)
	}
	r.fs.listed = 0
	for _, restart := range []func(){func() {}, r.crash, func() { r.m.Close(); r.open() }} {
		restart()
		p := r.look()
		if p.Swept || p.Dirs != 0 || p.Changed || p.Native != root || p.Entries != want.Entries || p.Bytes != want.Bytes {
			t.Errorf("pass: %+v", p)
		}
	}
	if r.fs.listed != 0 || r.fs.stats != 3 {
		t.Errorf("%d directories listed, %d polls", r.fs.listed, r.fs.stats)
	}
	r.expect("xtimes", before, r.xtimes())
}

// Another volume mark costs a comparison, and stamps nothing that is as it was.
func TestIndexReset(t *testing.T) {
	r := wide(t, native, 50)
	r.fs.reindex()
	p := r.look()
	if !p.Swept || p.Changed || int(p.Dirs) != len(r.fs.dirs()) {
		t.Errorf("pass: %+v", p)
	}
	if !strings.Contains(r.log.String(), "begun anew") {
		t.Errorf("log: %s", &r.log)
	}
	r.fs.listed = 0
	if p := r.look(); !p.Swept || p.Changed {
		t.Errorf("before anything is marked: %+v", p)
	}
	r.fs.mark("d00")
	r.fs.listed = 0
	if p := r.look(); p.Swept || r.fs.listed != 2 || !p.Changed {
		t.Errorf("after the first mark %d listed: %+v", r.fs.listed, p)
	}
	r.quiet()
	before := r.xtimes()
	r.crash()
	r.fs.reindex()
	r.fs.mark("d01")
	if p := r.look(); !p.Swept || p.Changed {
		t.Errorf("index reset and restart: %+v", p)
	}
	r.expect("xtimes", before, r.xtimes())
}

// A native xtime is taken over by a pass that came to its end, and lost with one
// that did not.
func TestNativeIsKept(t *testing.T) {
	r := wide(t, native, 50)
	id, was := r.fs.id("d00"), r.fs.must("d00").native
	r.fs.write("d00/e00/f0/file")
	is := r.fs.must("d00").native
	native := func() sdk.NativeXTime { x, _ := r.m.Native(id); return x }
	r.fs.onList = func(p sdk.Path) {
		if p == "d00/e00/f0" {
			r.fs.broken = &sdk.Error{Kind: sdk.KindGone, Op: "scan"}
		}
	}
	if _, err := r.m.Refresh(t.Context(), r.fs, Hint{All: true}); err == nil {
		t.Fatal("no error")
	}
	r.expect("native xtime after a broken pass", was, native())
	r.fs.onList, r.fs.broken = nil, nil
	if p := r.quiet(); !p.Changed && p.Dirs == 0 {
		t.Errorf("the change is lost: %+v", p)
	}
	r.expect("native xtime", is, native())
	r.m.Close()
	r.open()
	r.expect("native xtime after a restart", is, native())
	if _, ok := r.m.Native(sdk.FileID{Ino: 99999}); ok {
		t.Error("native xtime of a stranger")
	}
	r.fs.statErr = &sdk.Error{Kind: sdk.KindTransient, Op: "stat", Errno: 107}
	if _, err := r.m.Refresh(t.Context(), r.fs, Hint{All: true}); !errors.Is(err, r.fs.statErr) {
		t.Errorf("error: %v", err)
	}
}

// What marking missed is found by the sweep, and by the other names of a file at
// once.
func TestHoles(t *testing.T) {
	r := wide(t, native, 50)
	r.fs.link("d00/e00/f0/file", "d01/e00/f1/other")
	r.quiet()
	before := r.xtimes()
	r.fs.write("d01/e00/f1/other") // marks one chain alone
	r.quiet()
	r.expect("by another name", set(".", "d00", "d00/e00", "d00/e00/f0", "d01", "d01/e00", "d01/e00/f1"), changed(before, r.xtimes()))
	before = r.xtimes()
	r.fs.skip = func() bool { return true }
	r.fs.write("d02/e00/f2/file")
	r.fs.skip = nil
	r.quiet()
	r.expect("unmarked", set(), changed(before, r.xtimes()))
	r.sweep()
	r.expect("swept", set(".", "d02", "d02/e00", "d02/e00/f2"), changed(before, r.xtimes()))
}

// Names of files that are not known make a pass one through the whole tree; names
// outside of it do so once.
func TestNamesUnknown(t *testing.T) {
	r := wide(t, native, 50)
	r.fs.link("d00/e00/f0/file", "d01/e00/f1/other")
	r.quiet()
	r.m.Close()
	r.open()
	if p := r.look(); p.Swept || p.NamesKnown {
		t.Errorf("after a restart: %+v", p)
	}
	r.fs.write("d02/e00/f2/file")
	if p := r.quiet(); p.Swept || p.NamesKnown {
		t.Errorf("a file with one name: %+v", p)
	}
	r.fs.write("d00/e00/f0/file")
	r.fs.pass()
	if p := r.look(); !p.Swept || !p.NamesKnown {
		t.Errorf("a file with two names: %+v", p)
	}
	r.expect("names", 2, len(r.m.Links(r.fs.id("d00/e00/f0/file"))))
	r.fs.must("d03/e00/f3/file").entry.Nlink++ // outside
	r.fs.write("d03/e00/f3/file")
	r.fs.pass()
	if p := r.look(); !p.Swept {
		t.Errorf("a new name somewhere: %+v", p)
	}
	r.fs.write("d03/e00/f3/file")
	r.fs.pass()
	if p := r.look(); p.Swept || !p.Changed {
		t.Errorf("a known name outside: %+v", p)
	}
}
