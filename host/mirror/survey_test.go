package mirror_test

import (
	"context"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pkg/xattr"

	"github.com/gsyncd/gsyncd-host/host/crawl"
	"github.com/gsyncd/gsyncd-host/host/marker"
	"github.com/gsyncd/gsyncd-host/sdk"
)

// survey is a tree as describe sees it, by path.
type survey struct {
	lines  map[string]string
	dirs   map[string]bool
	inode  map[string]uint64   // of regular files
	groups map[uint64][]string // names of a file
	own    []string            // reserved names
}

func surveyOf(t *testing.T, root string) *survey {
	t.Helper()
	s, err := trySurvey(root)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// trySurvey is for a tree that may change under it.
func trySurvey(root string) (*survey, error) {
	s := &survey{lines: map[string]string{}, dirs: map[string]bool{}, inode: map[string]uint64{}, groups: map[uint64][]string{}}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(root, path)
		if sdk.Reserved(d.Name()) {
			s.own = append(s.own, rel)
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		line, ino, err := describeOne(path)
		if err != nil {
			return err
		}
		s.lines[rel] = line
		s.dirs[rel] = d.IsDir()
		if ino != 0 {
			s.inode[rel] = ino
			s.groups[ino] = append(s.groups[ino], rel)
		}
		return nil
	})
	return s, err
}

// differences gives, for every path where two trees differ, what differs.
func differences(p, s *survey) map[string]string {
	out := map[string]string{}
	for path, line := range p.lines {
		if other, ok := s.lines[path]; !ok {
			out[path] = "missing: " + line
		} else if other != line {
			out[path] = "primary " + line + "\n  secondary " + other
		}
	}
	for path, line := range s.lines {
		if _, ok := p.lines[path]; !ok {
			out[path] = "stranger: " + line
		}
	}
	return out
}

// wrongLinks gives pairs of names that are one file on one side only.
func wrongLinks(p, s *survey) [][2]string {
	var out [][2]string
	pairs := func(a, b *survey) {
		for _, names := range a.groups {
			for i, n := range names {
				for _, m := range names[:i] {
					in, ok := b.inode[n]
					im, ok2 := b.inode[m]
					if ok && ok2 && in != im {
						out = append(out, [2]string{m, n})
					}
				}
			}
		}
	}
	pairs(p, s)
	pairs(s, p)
	return out
}

// markOf reads the mark of a directory of the secondary.
func markOf(path string) (crawl.Mark, bool) {
	for _, space := range []string{"trusted.", "user."} {
		if v, err := xattr.LGet(path, space+sdk.ReservedXattr+"test"); err == nil {
			m, err := crawl.DecodeMark(v)
			return m, err == nil
		}
	}
	return crawl.Mark{}, false
}

// lies compares the marks with the trees: every difference must lie below
// directories whose marks do not hold.
func (r *rig) lies(xtime func(sdk.FileID) (sdk.XTime, bool), id func(path string) sdk.FileID) []string {
	r.t.Helper()
	p, s := surveyOf(r.t, r.primary), surveyOf(r.t, r.secondary)
	held := map[string]bool{}
	for path, dir := range p.dirs {
		if !dir || !s.dirs[path] {
			continue
		}
		m, ok := markOf(filepath.Join(r.secondary, path))
		if !ok {
			continue
		}
		i := id(path)
		x, known := xtime(i)
		held[path] = known && m.Holds(x, i)
	}
	var out []string
	blame := func(dir, what string) {
		for ; ; dir = filepath.Dir(dir) {
			if held[dir] {
				out = append(out, fmt.Sprintf("the mark of %q holds, but %s", dir, what))
			}
			if dir == "." {
				return
			}
		}
	}
	for path, what := range differences(p, s) {
		dir := filepath.Dir(path)
		if p.dirs[path] && s.dirs[path] {
			dir = path // its attributes are its own mark's affair
		}
		blame(dir, fmt.Sprintf("%q is wrong: %s", path, what))
	}
	for _, pair := range wrongLinks(p, s) {
		blame(common(pair[0], pair[1]), fmt.Sprintf("%q and %q are one file on one side only", pair[0], pair[1]))
	}
	slices.Sort(out)
	return out
}

// common is the deepest directory above both paths.
func common(a, b string) string {
	dir := filepath.Dir(a)
	for dir != "." && !strings.HasPrefix(b, dir+"/") {
		dir = filepath.Dir(dir)
	}
	return dir
}

// honest fails the test if a mark claims what is not there. The index is up to
// date, and nothing changes any more.
func (r *rig) honest(index *marker.Marker, src sdk.Source) {
	id := func(path string) sdk.FileID {
		found, err := src.Stat(context.Background(), []sdk.Path{sdk.Path(path)}, 0)
		if err != nil {
			r.t.Error(err)
			return sdk.FileID{}
		}
		return found[0].ID
	}
	lies := r.lies(index.XTime, id)
	for _, lie := range lies {
		r.t.Error(lie)
	}
	if len(lies) > 0 {
		// Whether the marker missed something, or the crawl.
		_, err := index.Refresh(context.Background(), src, marker.Hint{Sweep: true})
		r.t.Logf("%d of %d lies are ones after a sweep, too (%v)", len(r.lies(index.XTime, id)), len(lies), err)
	}
}
