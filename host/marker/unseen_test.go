package marker

import (
	"testing"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// Gluster marks an entry whose extended attributes are set, but neither its
// change time nor anything else that a listing shows is another then.
func TestMarkedAndNotSeen(t *testing.T) {
	r := wide(t, native, 100)
	r.fs.mkdirAll("d00/none")
	r.quiet()
	for _, c := range []struct{ at, dir sdk.Path }{
		{"d00/e00/f0/file", "d00/e00/f0"}, {"d00/e00/f0", "d00/e00/f0"}, {"d01", "d01"}, {"d00/none", "d00/none"}, {sdk.Root, sdk.Root},
	} {
		before := r.xtimes()
		r.fs.pass()
		r.fs.mark(c.at)
		if p := r.look(); p.Swept || !p.Changed {
			t.Errorf("%s: %+v", c.at, p)
		}
		for p, x := range r.xtimes() {
			if above := p == c.dir || p == sdk.Root || len(c.dir) > len(p) && c.dir[:len(p)+1] == p+"/"; (before[p] != x) != above {
				t.Errorf("%s was marked: stamp of %s: %v", c.at, p, before[p] != x)
			}
		}
		r.quiet()
		// Nothing more comes of it.
		if p := r.look(); p.Changed || p.Dirs != 0 {
			t.Errorf("%s, afterwards: %+v", c.at, p)
		}
	}
}

// A directory with an entry that could not be described is listed until it can:
// nothing is marked when that is so, and the entry may be a further name of a file.
func TestUnseenEntries(t *testing.T) {
	for what, restart := range map[string]func(*rig){"same process": func(*rig) {}, "after a crash": (*rig).crash} {
		t.Run(what, func(t *testing.T) {
			r := wide(t, native, 5)
			r.fs.link("d00/e00/f0/file", "d01/e00/f1/again")
			hidden := r.fs.must("d01/e00/f1/again")
			hidden.entry.Type, hidden.entry.Err = sdk.TypeUnknown, &sdk.Error{Kind: sdk.KindTransient, Op: "lstat"}
			r.fs.pass()
			if p := r.look(); p.Unseen == 0 {
				t.Error("every entry was seen")
			}
			restart(r)
			hidden.entry.Type, hidden.entry.Err = sdk.TypeRegular, nil
			r.fs.pass()
			before := r.xtimes()
			if p := r.look(); p.Unseen != 0 {
				t.Errorf("%d directories with entries that are not seen", p.Unseen)
			}
			got := changed(before, r.xtimes())
			if !got["d00/e00/f0"] || !got["d01/e00/f1"] {
				t.Errorf("stamped: %v", got)
			}
			if names := r.m.Links(hidden.entry.ID); len(names) != 2 {
				t.Errorf("names: %q", names)
			}
		})
	}
}
