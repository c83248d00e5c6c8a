package marker

import (
	"fmt"
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

// A file may have tens of thousands of names: what a pass does about it grows with
// their number, and not with its square.
func TestManyNames(t *testing.T) {
	const half = 5000
	looked := 0
	gone := map[ref]bool{}
	table := newLinkTable(func(dir ref) bool { looked++; return gone[dir] },
		func(ref) bool { return false }, func() bool { return true })
	list := func(dir ref, from, to int, when int64) {
		b := &linkBatch{}
		for i := from; i < to; i++ {
			b.add(&sdk.Entry{Name: fmt.Sprintf("%05d", i), Type: sdk.TypeRegular, ID: sdk.FileID{Ino: 9}, Nlink: 2 * half, Ctime: nanos(when)})
		}
		table.replace(dir, b)
	}
	count := func(what string, want int) {
		t.Helper()
		looked = 0
		due, waits := map[ref]int{}, 0
		table.resolve(func(dir ref) { due[dir]++ }, func(sdk.FileID) { waits++ })
		if len(due) != want || waits > 1 || looked > 5*half {
			t.Errorf("%s: %d directories are due, %d files wait, %d looked at", what, len(due), waits, looked)
		}
	}
	list(1, 0, half, 1) // half of them in one directory, the others in one each
	for i := range half {
		list(ref(2+i), i, i+1, 1)
	}
	count("as it was", 0)
	list(2, 0, 1, 2)
	count("changed", half) // all but the one that found it so
	for i := range half {
		list(ref(2+i), i, i+1, 2)
	}
	list(1, 0, half, 2)
	count("listed", 0)
	list(1, 0, half/2, 2)
	count("names removed", half+1)
	for i := range half / 2 {
		gone[ref(2+i)] = true
		table.lose(ref(2 + i))
	}
	count("directories missing", 1+half/2)
	for i := range half {
		table.forget(ref(2 + i))
	}
	count("directories forgotten", 1)
}
