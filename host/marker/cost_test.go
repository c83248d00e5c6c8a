package marker

import (
	"context"
	"fmt"
	"testing"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// What a pass costs is in proportion to what changed, whatever the size of the
// tree.
func TestCostFollowsChange(t *testing.T) {
	const depth = 4 // with the root
	for _, by := range []told{native, names} {
		allocs := map[int]float64{}
		for _, size := range []int{300, 3000} {
			r := wide(t, by, size)
			for _, changes := range []int{1, 3} {
				for i := range changes {
					r.fs.write(sdk.Path(fmt.Sprintf("d%02d/e00/f%d/file", i, i)))
				}
				r.fs.pass()
				r.fs.listed = 0
				if p := r.look(); r.fs.listed > changes*depth || r.fs.listed < changes || !p.Changed {
					t.Errorf("%s: %d of %d directories changed, %d were listed", by, changes, size, r.fs.listed)
				}
			}
			hint, fs, p := Hint{All: by == native}, r.fs, sdk.Path("d00/e00/f0")
			hint.Dirs = []sdk.FileID{fs.id(p)}
			src := &still{fakeFS: fs, rows: map[sdk.Path][]sdk.Entry{}}
			allocs[size] = testing.AllocsPerRun(20, func() {
				fs.value++
				fs.root.native.Usec = fs.value
				if _, err := r.m.Refresh(context.Background(), src, hint); err != nil {
					t.Fatal(err)
				}
			})
		}
		if allocs[3000] > allocs[300]+5 {
			t.Errorf("%s: allocations: %v", by, allocs)
		}
	}
}

// still is a fakeFS whose listings cost nothing.
type still struct {
	*fakeFS
	rows map[sdk.Path][]sdk.Entry
}

func (s *still) Scan(_ context.Context, req sdk.ScanRequest, sink sdk.ScanSink) error {
	for i, p := range req.Dirs {
		if s.rows[p] == nil {
			gather := &gatherer{}
			_ = s.list(0, p, sdk.FieldNative, gather)
			s.rows[p] = gather.rows
		}
		self := s.rows[p][0]
		if p == sdk.Root {
			self.Native = s.root.native
		}
		if err := sink.BeginDir(i, &self); err != nil {
			return err
		}
		for k := range s.rows[p][1:] {
			if err := sink.Entry(&s.rows[p][1+k]); err != nil {
				return err
			}
		}
		if err := sink.EndDir(i, nil); err != nil {
			return err
		}
	}
	return nil
}

type gatherer struct{ rows []sdk.Entry }

func (g *gatherer) BeginDir(_ int, self *sdk.Entry) error { return g.Entry(self) }

func (g *gatherer) Entry(e *sdk.Entry) error { g.rows = append(g.rows, *e); return nil }

func (g *gatherer) EndDir(int, *sdk.Error) error { return nil }

// A start from a point costs what changed since, whatever the size of the tree.
func TestResumeCost(t *testing.T) {
	for _, size := range []int{300, 3000} {
		r := resumed(t, size)
		for i := range 10 {
			r.fs.write(sdk.Path(fmt.Sprintf("d%02d/e00/f%d/file", i, i)))
		}
		r.fs.mkdirAll("d20/new/deep")
		r.fs.rename("d21/e00", "d22/moved")
		r.fs.pass()
		for _, seen := range []bool{false, true} { // by the process before
			before := known(r)
			p := r.resume()
			if p.Swept || r.fs.listed > 20 || r.m.Point() != r.teller.point() {
				t.Errorf("%d directories, seen %v: %d listed, %+v", size, seen, r.fs.listed, p)
			}
			for _, dir := range []sdk.Path{"d05/e00/f5", "d20", "d21", "d22", sdk.Root} {
				if id := r.fs.id(dir); before[id] == known(r)[id] {
					t.Errorf("%d directories, seen %v: %s has the xtime that it had", size, seen, dir)
				}
			}
		}
		// And then all of it is known as it was.
		r.quiet()
		r.pin()
		r.m.Close()
		r.open()
		r.fs.listed = 0
		if p := r.lookAt(r.sinceThen()); p.Changed || r.fs.listed != 0 {
			t.Errorf("nothing changed: %d listed, %+v", r.fs.listed, p)
		}
	}
}
