package marker

import (
	"testing"

	"github.com/gsyncd/gsyncd-host/sdk"
)

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
