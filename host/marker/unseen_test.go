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
