package marker

import (
	"fmt"
	"testing"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// The names of files with several are known after a start from a point.
func TestNamesLiveOn(t *testing.T) {
	r := resumed(t, 50)
	id := r.fs.id("d00/e00/f0/file")
	want := []sdk.Path{"d00/e00/f0/file", "d01/e00/f1/other"}
	if p := r.resume(); p.Swept || !p.NamesKnown || r.fs.listed > 5 {
		t.Errorf("%d listed, %+v", r.fs.listed, p)
	}
	r.expect("names", want, r.m.Links(id))
	// Told through one of them, the others are looked at: no less than before.
	r.fs.pass()
	before := r.xtimes()
	r.fs.write("d01/e00/f1/other")
	r.lookAt(Hint{Dirs: []sdk.FileID{r.fs.id("d01/e00/f1")}})
	if got := changed(before, r.xtimes()); !got["d00/e00/f0"] {
		t.Errorf("changed: %v", got)
	}
	// They go and come with what they are in.
	r.fs.rename("d01/e00", "d02/moved")
	r.fs.link("d00/e00/f0/file", "d03/third")
	r.fs.remove("d00/e00/f0/file")
	r.quiet()
	r.pin()
	want = []sdk.Path{"d02/moved/f1/other", "d03/third"}
	for range 2 {
		r.resume()
		r.expect("names", want, r.m.Links(id))
		r.m.journal.renew() // so that the next are from a snapshot
		r.quiet()
	}
	// A name outside of the tree is none that is looked for.
	r.fs.must("d04/e00/f4/file").entry.Nlink++
	r.fs.write("d04/e00/f4/file")
	r.quiet()
	r.quiet()
	r.pin()
	if p := r.resume(); p.Swept {
		t.Errorf("pass: %+v", p)
	}
	r.fs.pass()
	r.fs.write("d04/e00/f4/file")
	if p := r.look(); p.Swept {
		t.Error("a name outside of the tree leads to a look at everything after a restart")
	}
}

// A directory may hold more names than go into one record.
func TestManyNamesLiveOn(t *testing.T) {
	r := newRigTold(t, points)
	r.fs.mkdir("a")
	r.fs.mkdir("b")
	r.fs.create("f")
	for i := range 1400 {
		r.fs.link("f", sdk.Path(fmt.Sprintf("%c/%0250d", 'a'+i%2, i)))
	}
	r.quiet()
	r.pin()
	names := r.m.Links(r.fs.id("f"))
	if len(names) != 1401 {
		t.Fatalf("%d names", len(names))
	}
	r.resume()
	r.expect("names from a snapshot", names, r.m.Links(r.fs.id("f")))
	r.m.journal.renew()
	r.quiet()
	snap := len(r.index())
	r.fs.chmod("a", 0o711)
	r.quiet()
	whole := r.index()
	if len(whole) < snap+3*namesChunk {
		t.Fatalf("the index grew from %d bytes to %d", snap, len(whole))
	}
	for cut := len(whole); cut > snap; cut -= 1 + cut%20_000 {
		r.setIndex(whole[:cut])
		for range 2 { // what is appended comes behind what was cut
			r.resume()
			r.expect("names", names, r.m.Links(r.fs.id("f")))
		}
	}
}

// What was listed and then lost in a power cut is found, and so is what was copied
// and lost although no pass had listed it.
func TestLostInAPowerCut(t *testing.T) {
	for what, lose := range map[string]func(*rig){
		"a file":      func(r *rig) { r.fs.write("d02/e00/f2/file") },
		"a new name":  func(r *rig) { r.fs.link("d03/e00/f3/file", "d04/e00/f4/more") },
		"a directory": func(r *rig) { r.fs.mkdirAll("d05/new/deep") },
		"a move":      func(r *rig) { r.fs.rename("d06/e00", "d07/moved") },
		"a removal": func(r *rig) {
			for _, p := range []sdk.Path{"d08/e00/f8/file", "d08/e00/f8", "d08/e00"} {
				r.fs.remove(p)
			}
		},
		"a swap": func(r *rig) {
			r.fs.rename("d06/e00", "tmp")
			r.fs.rename("d07/e00", "d06/e00")
			r.fs.rename("tmp", "d07/e00")
		},
	} {
		t.Run(what, func(t *testing.T) {
			r := resumed(t, 50)
			looks := r.fs.looks()
			lose(r)
			for range 3 { // until what is gone is forgotten
				r.fs.write("d20/e00/f20/file")
				r.fs.pass()
				r.lookAt(Hint{Dirs: r.fs.since(r.teller.last)})
			}
			before := byID(r)
			lost := r.fs.looks()
			r.fs.cutPower(true)
			p := r.resume()
			if p.Swept || r.fs.listed > 25 {
				t.Errorf("%d listed, %+v", r.fs.listed, p)
			}
			for id, x := range byID(r) {
				if looks[id] != lost[id] && before[id] == x {
					t.Errorf("%s is as it was again, and has its xtime", r.fs.dirs()[id])
				}
			}
			r.quiet()
			r.same()
		})
	}
	// The crawl may have copied more than the pass listed.
	r := resumed(t, 5)
	r.fs.write("d00/e00/f0/file")
	r.quiet()
	before := r.xtimes()
	r.fs.cutPower(true)
	r.resume()
	if got := changed(before, r.xtimes()); !got["d00/e00/f0"] {
		t.Errorf("changed: %v", got)
	}
}

// A move that only half a pass found, and that is lost then, leaves a directory where
// it was: nothing tells of it.
func TestLostMove(t *testing.T) {
	r := resumed(t, 50)
	r.fs.rename("d06/e00", "d07/moved")
	moved := r.fs.id("d07/moved")
	var at []byte
	r.fs.onList = func(sdk.Path) {
		if n := r.m.tree.at(r.m.tree.byID[moved]); n.name == "moved" && !n.is(flagDirty) {
			at = r.index()
			r.fs.broken = &sdk.Error{Kind: sdk.KindGone, Op: "scan"}
		}
	}
	// Nothing leads to where it was before it was found.
	if _, err := r.try(Hint{Dirs: []sdk.FileID{r.fs.id("d07"), r.fs.id("d10"), r.fs.id("d11")}}); err != nil {
		r.setIndex(at)
	}
	r.fs.onList, r.fs.broken = nil, nil
	r.fs.cutPower(true)
	r.resume()
	r.quiet()
	r.quiet()
	r.same()
}

// A pass from a point that breaks off goes on as it began.
func TestResumeBreaksOff(t *testing.T) {
	r := resumed(t, 50)
	r.fs.write("d02/e00/f2/file")
	r.fs.write("d03/e00/f3/file")
	r.fs.pass()
	r.crash()
	before := r.xtimes()
	r.fs.broken = &sdk.Error{Kind: sdk.KindGone, Op: "scan"}
	if _, err := r.try(r.sinceThen()); err == nil {
		t.Fatal("no error")
	}
	r.fs.broken = nil
	if p := r.lookAt(Hint{}); p.Swept {
		t.Errorf("pass: %+v", p)
	}
	if got := changed(before, r.xtimes()); !got["d02/e00/f2"] || !got["d03/e00/f3"] {
		t.Errorf("changed: %v", got)
	}
}
