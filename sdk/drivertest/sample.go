package drivertest

import (
	"errors"
	"fmt"
	"hash/fnv"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// Bounds on what is looked at of a resource that is there already.
const (
	walkEntries = 5000
	readFiles   = 300
	readBytes   = 64 << 20
	readLargest = 16 << 20
)

// sample is a resource that nobody changes.
type sample struct {
	address sdk.Address
	dir     string // what it was built of; "": nobody knows
	entries []walked
	all     bool // entries are all there are
}

// walked is an entry that a walk came by.
type walked struct {
	path  sdk.Path
	entry sdk.Entry
}

// sample gives the resource and an opened source of it. The resource is made
// once for all checks.
func (s *suite) sample(t T) (*sample, sdk.Source) {
	t.Helper()
	s.needs(t, sdk.Primary)
	s.making.Lock()
	defer s.making.Unlock()
	if s.made == nil {
		m := &sample{address: s.cfg.Existing}
		switch {
		case s.cfg.NewTree != nil:
			tree := s.cfg.NewTree(s.whole)
			m.address, m.dir = tree.Address, tree.Dir
			s.fill(t, m.dir)
		case s.cfg.Build != nil:
			m.dir = filepath.Join(s.whole.TempDir(), "tree")
			must(t, os.Mkdir(m.dir, 0o755))
			s.fill(t, m.dir)
			m.address = s.cfg.Build(s.whole, m.dir)
		}
		src := s.open(t, s.driver, m.address)
		m.entries, m.all = walk(t, src)
		if !m.all {
			t.Logf("looked at the first %d entries only", len(m.entries))
		}
		s.made = m
		return m, src
	}
	return s.made, s.open(t, s.driver, s.made.address)
}

// open opens a source until the test's end.
func (s *suite) open(t T, d sdk.Driver, a sdk.Address) sdk.Source {
	t.Helper()
	src, err := d.OpenSource(t.Context(), s.request(t, Tree{Address: a}, sdk.Primary))
	if err != nil {
		t.Fatalf("open %s: %v", a, err)
	}
	t.Cleanup(func() { src.Close() })
	return src
}

// fill puts into a directory what a sample is made of.
func (s *suite) fill(t T, dir string) {
	t.Helper()
	lacks := s.cfg.Lacks
	mkdirAll(t, dir, "a/b/c", "many")
	large := 3*sdk.MaxChunk + 17
	for name, size := range map[string]int{"empty": 0, "a/one": 1, "a/b/c/deep": 4096, "large": large, "a/b.c": 5, "a/b-c": 6, "z": 70_000} {
		put(t, dir, name, string(noise(size)))
	}
	for i := range s.many(1200) {
		put(t, dir, fmt.Sprintf("many/%04d", i), "x")
	}
	put(t, dir, "a/grüße", "hello")
	put(t, dir, "a/"+strings.Repeat("n", 200), "long name")
	put(t, dir, "a/ blank ", "blanks")
	if !lacks.OddNames {
		put(t, dir, "a/\xff\n", "odd")
	}
	if !lacks.EmptyDirs {
		mkdirAll(t, dir, "void")
	}
	if !lacks.Symlinks {
		must(t, os.Symlink("a", filepath.Join(dir, "link")))
		must(t, os.Symlink("/etc/hostname", filepath.Join(dir, "out")))
	}
	must(t, os.Chmod(filepath.Join(dir, "z"), 0o600))
	at := time.Unix(1234567890, 0)
	must(t, os.Chtimes(filepath.Join(dir, "z"), at, at))
}

// walk lists a resource from the root on, at most walkEntries; all reports whether
// that was everything.
func walk(t T, r sdk.Resource) (out []walked, all bool) {
	t.Helper()
	all = true
	next := []sdk.Path{sdk.Root}
	known := map[sdk.Path]sdk.Entry{}
	for all && len(next) > 0 {
		dirs := next[:min(len(next), sdk.MaxBatch)]
		next = next[len(dirs):]
		var found []listing
		found, all = scanSome(t, r, walkEntries-len(out), dirs)
		for i, l := range found {
			if l.err != nil {
				if l.err.Kind != sdk.KindPermission {
					t.Errorf("list %q: %v", dirs[i], l.err)
				}
				continue
			}
			if e, ok := known[dirs[i]]; ok && (e.ID != l.self.ID || e.Type != l.self.Type) {
				t.Errorf("directory %q says of itself that it is %v, and its parent that it is %v", dirs[i], l.self.ID, e.ID)
			}
			for _, e := range l.entries {
				p := dirs[i].Join(e.Name)
				out = append(out, walked{p, e})
				if e.Type == sdk.TypeDir && !e.Mount {
					known[p] = e
					next = append(next, p)
				}
			}
		}
	}
	return out, all
}

// scanSome lists directories as far as they have up to most entries; all reports
// whether they have no more.
func scanSome(t T, r sdk.Resource, most int, dirs []sdk.Path) (found []listing, all bool) {
	t.Helper()
	enough := errors.New("the walk has seen enough")
	rec := newRecorder(len(dirs))
	rec.onEntry = func(*sdk.Entry) error {
		if most--; most < 0 {
			l := &rec.dirs[rec.open]
			l.entries = l.entries[:len(l.entries)-1]
			return enough
		}
		return nil
	}
	err := r.Scan(t.Context(), sdk.ScanRequest{Dirs: dirs, Fields: sdk.FieldTarget | sdk.FieldXattrs}, rec)
	if errors.Is(err, enough) {
		return rec.dirs[:rec.next+1], false
	}
	if err != nil {
		t.Fatalf("scan: %v", err)
	}
	if rec.next != len(dirs) {
		t.Fatalf("scan ended after %d of %d directories", rec.next, len(dirs))
	}
	return rec.dirs, true
}

// first gives the path of the first entry of a type.
func (m *sample) first(typ sdk.Type) (sdk.Path, bool) {
	for _, w := range m.entries {
		if w.entry.Type == typ {
			return w.path, true
		}
	}
	return "", false
}

// files picks the files whose data is looked at, and counts the others.
func (m *sample) files() (out []walked, left int) {
	var bytes int64
	for _, w := range m.entries {
		switch {
		case w.entry.Type != sdk.TypeRegular:
		case w.entry.Size > readLargest, bytes+w.entry.Size > readBytes, len(out) == readFiles:
			left++
		default:
			bytes += w.entry.Size
			out = append(out, w)
		}
	}
	return out, left
}

func paths(ws []walked) []sdk.Path {
	out := make([]sdk.Path, len(ws))
	for i := range ws {
		out[i] = ws[i].path
	}
	return out
}

// absent is a path of which it is as good as sure that it does not exist.
func absent(dir sdk.Path) sdk.Path { return dir.Join("gsyncd-host.absent.7f3c") }

// digests is a ReadSink that keeps a checksum for each file. It holds what comes
// to the rules.
type digests struct {
	readRecorder
	sums []uint64
}

var _ sdk.ReadSink = (*digests)(nil)

func newDigests(n int) *digests {
	return &digests{readRecorder: readRecorder{files: make([]readFile, n)}, sums: make([]uint64, n)}
}

// EndFile implements [sdk.ReadSink].
func (d *digests) EndFile(i int, after *sdk.Entry, err *sdk.Error) error {
	if e := d.readRecorder.EndFile(i, after, err); e != nil {
		return e
	}
	f := &d.files[i]
	if f.began && err == nil {
		h := fnv.New64a()
		_, _ = h.Write(f.content())
		d.sums[i] = h.Sum64()
	}
	f.parts = nil
	return nil
}
