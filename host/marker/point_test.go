package marker

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// A start may begin from the point that was kept, and from no other.
func TestPoint(t *testing.T) {
	r := wide(t, nothing, 50)
	r.expect("point", Point(""), r.m.Point())
	r.lookAt(Hint{All: true, Until: "one"})
	r.expect("point", Point("one"), r.m.Point())
	for what, restart := range map[string]func(){"crash": r.crash, "close": func() { r.m.Close(); r.open() }} {
		for _, c := range []struct {
			hint Hint
			full bool
		}{
			{Hint{Since: "one"}, false},
			{Hint{Since: "two"}, true},
			{Hint{}, true},
			{Hint{All: true, Since: "one"}, true},
		} {
			restart()
			r.expect("point after a "+what, Point("one"), r.m.Point())
			r.fs.listed = 0
			if p := r.lookAt(c.hint); p.Swept != c.full || p.NamesKnown == false || !c.full && r.fs.listed != 0 {
				t.Errorf("%+v: %d listed, %+v", c.hint, r.fs.listed, p)
			}
		}
	}
	// What changed later is listed again, whatever is told.
	r.fs.write("d00/e00/f0/file")
	r.fs.pass()
	dir := r.fs.id("d00/e00/f0")
	r.lookAt(Hint{Dirs: []sdk.FileID{dir}})
	r.crash()
	r.lookAt(Hint{All: true, Until: "one"}) // told again, which is nothing new
	r.m.Close()
	r.open()
	r.fs.listed = 0
	if p := r.lookAt(Hint{Since: "one"}); p.Swept || r.fs.listed != 1 {
		t.Errorf("%d listed, %+v", r.fs.listed, p)
	}
	if p := r.lookAt(Hint{Since: "zero"}); !p.Swept {
		t.Errorf("since another point: %+v", p)
	}
	r.crash()
	r.fs.listed = 0
	if r.lookAt(Hint{Since: "one", Until: "two"}); r.fs.listed != 1 {
		t.Errorf("the point was told again: %d listed", r.fs.listed)
	}
	r.quiet()
	r.lookAt(Hint{Until: "three"})
	r.m.Close()
	r.open()
	r.fs.listed = 0
	if r.lookAt(Hint{Since: "three"}); r.fs.listed != 0 {
		t.Errorf("after the third point: %d listed", r.fs.listed)
	}
}

// resumed makes a rig whose index has a point, over a tree of n directories, with a
// file that has names in two of them.
func resumed(t *testing.T, n int) *rig {
	r := wide(t, points, n)
	r.fs.link("d00/e00/f0/file", "d01/e00/f1/other")
	r.quiet()
	r.pin()
	r.fs.listed = 0
	return r
}

// pin makes a pass with a point, which the index keeps.
func (r *rig) pin() {
	r.t.Helper()
	if r.lookAt(r.teller.pin(r)); r.m.Point() != r.teller.point() {
		r.t.Fatalf("the point is %q, not %q", r.m.Point(), r.teller.point())
	}
	r.durable()
}

// durable has a point outlast a crash that would wait for a change.
func (r *rig) durable() {
	r.t.Helper()
	r.m.journal.urgent = true
	if err := r.m.commit(); err != nil {
		r.t.Fatal(err)
	}
}

// resume begins anew, from the point.
func (r *rig) resume() Pass {
	r.t.Helper()
	r.crash()
	r.fs.listed = 0
	return r.lookAt(r.sinceThen())
}

// sinceThen tells of all that changed since the point that the index keeps.
func (r *rig) sinceThen() Hint {
	r.t.Helper()
	at, err := strconv.ParseUint(string(r.m.Point()), 10, 64)
	if err != nil {
		r.t.Fatal(err)
	}
	r.teller.begun, r.teller.last = true, r.fs.commit()
	return Hint{Dirs: r.fs.since(at), Since: r.m.Point(), Until: r.teller.point()}
}

// A directory that is gone is forgotten once a point was taken behind the pass that did
// not find it, though nothing else leads to a look: what moved it would have been told of.
func TestPointBuries(t *testing.T) {
	r := resumed(t, 50)
	r.fs.link("d05/e00/f5/file", "d05/other")
	r.quiet()
	r.fs.remove("d05")
	r.quiet()
	gone := r.m.Dirs()
	kept := r.m.Point()
	r.lookAt(Hint{Until: kept})
	r.expect("directories where a point was told again", gone, r.m.Dirs())
	r.fs.listed = 0
	r.teller.last = r.fs.commit()
	r.lookAt(Hint{Until: r.teller.point()})
	if r.fs.listed != 0 || r.m.Dirs() >= gone || r.m.Point() == kept {
		t.Errorf("%d directories after %d, %d listed, the point is %q", r.m.Dirs(), gone, r.fs.listed, r.m.Point())
	}
	r.same() // what the names that went with it held is no longer counted
}

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

// While something is open that only memory knows, or below what could not be listed,
// the earlier point stays.
func TestPointStays(t *testing.T) {
	for what, c := range map[string]struct {
		open, end func(*rig)
		all       bool
	}{
		"not listed": {
			open: func(r *rig) {
				r.fs.must("d02").fail = &sdk.Error{Kind: sdk.KindPermission, Op: "list"}
				r.fs.chmod("d02", 0o700)
			},
			end: func(r *rig) { r.fs.must("d02").fail = nil }},
		"missing": {
			open: func(r *rig) { r.fs.leave("d03/e00") },
			end:  func(r *rig) { r.fs.chmod("d01", 0o700) }},
		"broken off": {
			open: func(r *rig) {
				r.fs.chmod("d04", 0o700)
				r.fs.broken = &sdk.Error{Kind: sdk.KindGone, Op: "scan"}
			},
			end: func(r *rig) { r.fs.broken = nil }},
		"names waited for": {
			all: true,
			open: func(r *rig) {
				r.fs.must("d06/e00/f6/file").entry.Nlink++
				r.fs.write("d06/e00/f6/file")
			},
			end: func(*rig) {}},
		"gone before it was listed": {
			open: func(r *rig) {
				r.fs.mkdirAll("d05/new")
				r.behind("d05/new", func() { r.fs.remove("d05/new") })
			},
			end: func(*rig) {}},
	} {
		t.Run(what, func(t *testing.T) {
			r := resumed(t, 50)
			r.resume()
			r.durable()
			was := r.m.Point()
			c.open(r)
			r.fs.pass()
			hint := Hint{All: c.all, Dirs: r.fs.since(r.teller.last), Until: "later"}
			_, _ = r.try(hint)
			r.expect("point", was, r.m.Point())
			r.crash()
			r.expect("point", was, r.m.Point())
			c.end(r)
			r.lookAt(r.sinceThen())
			r.fs.pass()
			for range 3 {
				r.look()
			}
			if r.m.Point() == was {
				t.Error("no later point is kept")
			}
			r.quiet()
			r.same()
		})
	}
}

// A directory that cannot be listed, and of which nothing in it is known, keeps no point
// from being kept: each start looks at it again. Of one in which directories were
// known that is said once.
func TestPointBesideUnlisted(t *testing.T) {
	denied := &sdk.Error{Kind: sdk.KindPermission, Op: "list"}
	r := wide(t, points, 50)
	r.fs.mkdir("d02/closed")
	r.fs.must("d02/closed").fail = denied
	r.quiet()
	r.pin()
	for range 2 {
		if p := r.resume(); p.Swept || p.Unlisted != 1 || len(p.Problems) != 1 || p.Problems[0].Path != "d02/closed" || r.fs.listed > 5 {
			t.Errorf("a start lists %d: %+v", r.fs.listed, p)
		}
		r.fs.write("d03/e00/f3/file")
		r.fs.pass()
		r.pin()
		r.quiet()
	}
	// It is listed, and a start that does not come to what is new in it is made up for.
	r.fs.mkdirAll("d02/closed/new/deep")
	r.fs.create("d02/closed/new/deep/file")
	r.fs.pass()
	r.pin()
	r.fs.must("d02/closed").fail = nil
	r.crash()
	r.fs.onList = func(p sdk.Path) {
		if p == "d02/closed/new" {
			r.fs.broken = &sdk.Error{Kind: sdk.KindGone, Op: "scan"}
		}
	}
	if _, err := r.try(r.sinceThen()); err == nil {
		t.Fatal("the pass did not break off")
	}
	r.fs.onList, r.fs.broken = nil, nil
	if p := r.resume(); p.Swept || p.Unlisted != 0 {
		t.Errorf("%+v", p)
	}
	r.quiet()
	r.same()
	r.pin()

	was := r.m.Point()
	r.fs.must("d02/closed").fail = denied
	r.fs.chmod("d02/closed", 0o700)
	r.fs.pass()
	r.lookAt(r.teller.pin(r))
	r.fs.write("d02/closed/new/deep/file")
	r.fs.pass()
	r.lookAt(r.teller.pin(r))
	r.expect("point", was, r.m.Point())
	if said := strings.Count(r.log.String(), "directory=d02/closed\n"); said != 1 {
		t.Errorf("it is said %d times: %s", said, &r.log)
	}
	r.fs.must("d02/closed").fail = nil
	r.quiet()
	r.pin()
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

// A point that is told again after a pass that broke off is as old as it was.
func TestPointToldTwice(t *testing.T) {
	r := resumed(t, 50)
	r.fs.write("d02/e00/f2/file")
	r.fs.write("d03/e00/f3/file")
	r.fs.pass()
	hint := Hint{Dirs: []sdk.FileID{r.fs.id("d02/e00/f2"), r.fs.id("d03/e00/f3")}, Until: "later"}
	var listed []sdk.FileID
	r.fs.onList = func(p sdk.Path) {
		if listed = append(listed, r.fs.id(p)); len(listed) > 1 {
			r.fs.broken = &sdk.Error{Kind: sdk.KindGone, Op: "scan"}
		}
	}
	if _, err := r.try(hint); err == nil {
		t.Fatal("no error")
	}
	r.fs.onList, r.fs.broken = nil, nil
	r.lookAt(hint)
	r.expect("point", Point("later"), r.m.Point())
	if again := r.stampedSince(); !again[listed[0]] {
		t.Errorf("stamped since: %v, listed: %v", again, listed)
	}
}

// A pass that became one through the whole tree had listed some of it before.
func TestPointOfAWidePass(t *testing.T) {
	r := resumed(t, 50)
	r.fs.write("d02/e00/f2/file")
	r.fs.must("d03/e00/f3/file").entry.Nlink++ // a name that is not known
	r.fs.write("d03/e00/f3/file")
	r.fs.pass()
	since := r.teller.last
	r.teller.last = r.fs.commit()
	if p := r.lookAt(Hint{Dirs: r.fs.since(since), Until: r.teller.point()}); !p.Swept {
		t.Fatalf("pass: %+v", p)
	}
	for range 3 {
		r.lookAt(Hint{})
	}
	r.expect("point", r.teller.point(), r.m.Point())
	r.crash()
	if again := r.stampedSince(); !again[r.fs.id("d02/e00/f2")] {
		t.Errorf("stamped since: %v", again)
	}
}

// Another epoch has no point.
func TestPointGoes(t *testing.T) {
	r := resumed(t, 20)
	whole := r.index()
	h, _, err := readHeader(bytes.NewReader(whole))
	if err != nil {
		t.Fatal(err)
	}
	bad := bytes.Clone(whole)
	bad[h.snap-40] ^= 1
	for what, index := range map[string][]byte{"damaged": bad, "cut": whole[:h.snap-1]} {
		r.setIndex(index)
		r.crash()
		r.expect("point of a "+what+" index", Point(""), r.m.Point())
	}
	r.setIndex(whole)
	r.crash()
	hint := r.sinceThen()
	r.fs.ident = "fake-2"
	if p := r.lookAt(hint); !p.Swept {
		t.Errorf("another tree: %+v", p)
	}
	r.lookAt(Hint{Until: Point(strings.Repeat("x", MaxPoint+1))})
	if got := r.m.Point(); len(got) > MaxPoint || !strings.Contains(r.log.String(), "too long") {
		t.Errorf("point %q, log %s", got, &r.log)
	}
}

// A source with native xtimes has no use for points.
func TestNativeHasNoPoint(t *testing.T) {
	r := resumed(t, 20)
	r.told = native
	r.fs.natively()
	r.lookAt(Hint{All: true, Until: "later"})
	r.fs.mark("d01")
	r.lookAt(Hint{All: true, Until: "last"})
	r.expect("point", Point(""), r.m.Point())
	r.crash()
	r.expect("point after a crash", Point(""), r.m.Point())
}
