package marker

import (
	"bytes"
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
