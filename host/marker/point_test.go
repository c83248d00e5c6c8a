package marker

import (
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
	dir := r.fs.id("d00/e00/f0")
	r.lookAt(Hint{Dirs: []sdk.FileID{dir}})
	r.crash()
	r.fs.listed = 0
	if p := r.lookAt(Hint{Since: "one", Until: "one"}); p.Swept || r.fs.listed != 1 {
		t.Errorf("%d listed, %+v", r.fs.listed, p)
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
