package marker

import (
	"fmt"
	"testing"

	"github.com/gsyncd/gsyncd-host/sdk"
)

func TestEmptiedRoot(t *testing.T) {
	r := wide(t, native, 50)
	for name := range r.fs.root.kids {
		r.fs.remove(sdk.Path(name))
	}
	r.fs.pass()
	if p := r.look(); p.Swept || p.Entries != 0 || p.Bytes != 0 {
		t.Errorf("pass: %+v", p)
	}
	for _, restart := range []func(){r.crash, func() { r.m.Close(); r.open() }} {
		restart() // what is missing must not count again
		if p := r.look(); p.Entries != 0 || p.Bytes != 0 || p.Unlisted != 0 {
			t.Errorf("after a restart: %+v", p)
		}
	}
}

// A directory that is gone is no part of the primary that cannot be read, however
// a pass comes to miss it.
func TestGoneIsNotUnlisted(t *testing.T) {
	for _, by := range []told{native, names} {
		for what, restart := range map[string]func(*rig){
			"same process":  func(*rig) {},
			"after a crash": (*rig).crash,
			"after a close": func(r *rig) { r.m.Close(); r.open() },
		} {
			t.Run(fmt.Sprintf("%s/%s", by, what), func(t *testing.T) {
				r := wide(t, by, 5)
				vanish := func(p sdk.Path) {
					for name := range r.fs.must(p).kids {
						r.fs.remove(p.Join(name))
					}
					r.fs.remove(p)
				}
				r.fs.write("d00/e00/f0/file")
				r.fs.onList = func(p sdk.Path) {
					if p == "d00/e00/f0" && r.fs.find(p) != nil {
						vanish(p) // between its parent's listing and its own
					}
				}
				r.look()
				r.fs.onList = nil
				// And some that are in doubt when they vanish.
				r.fs.must("d01/e00/f1").fail = &sdk.Error{Kind: sdk.KindTransient, Op: "list"}
				r.fs.must("d02").fail = &sdk.Error{Kind: sdk.KindPermission, Op: "list"}
				r.fs.write("d01/e00/f1/file")
				r.fs.create("d02/new")
				if p := r.look(); p.Unlisted != 2 {
					t.Errorf("%d directories cannot be listed, want 2", p.Unlisted)
				}
				vanish("d01/e00/f1")
				r.fs.remove("d02")
				restart(r)
				for range 3 {
					r.fs.pass()
					if p := r.look(); p.Unlisted != 0 {
						t.Errorf("problems: %+v", p.Problems[0])
					}
				}
				if n := len(r.m.pending); n != 0 && by == native {
					t.Errorf("%d directories are still in doubt", n)
				}
			})
		}
	}
}
