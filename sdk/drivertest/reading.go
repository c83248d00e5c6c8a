package drivertest

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gsyncd/gsyncd-host/sdk"
)

func testAccepts(t T, s *suite) {
	m, _ := s.sample(t)
	for _, d := range s.driver.Check(t.Context(), s.request(t, Tree{Address: m.address}, sdk.Primary)) {
		if d.Warning {
			t.Logf("warning: %s", d.Summary)
			continue
		}
		t.Errorf("complaint about %s: %s", m.address, d.Summary)
	}
}

func testWalkTwice(t T, s *suite) {
	m, src := s.sample(t)
	again, _ := walk(t, src)
	same(t, "a second walk", m.entries, again)
}

// same compares what two walks came by.
func same(t T, what string, want, got []walked) {
	t.Helper()
	if len(want) != len(got) {
		t.Errorf("%s: %d entries, %d before; is somebody changing them?", what, len(got), len(want))
		return
	}
	const most = 3
	wrong := 0
	for i := range want {
		diff := cmp.Diff(want[i].entry, got[i].entry)
		if want[i].path == got[i].path && diff == "" {
			continue
		}
		if wrong++; wrong <= most {
			t.Errorf("%s: %q, before %q:\n%s", what, got[i].path, want[i].path, diff)
		}
	}
	if wrong > most {
		t.Errorf("%s: and %d more", what, wrong-most)
	}
}

// testContents compares a built resource with the directory that it was made of.
func testContents(t T, s *suite) {
	m, src := s.sample(t)
	if m.dir == "" {
		t.Skip("nobody knows what the resource should hold")
	}
	found := map[string]sdk.Entry{}
	for _, w := range m.entries {
		found[string(w.path)] = w.entry
	}
	lacks := s.cfg.Lacks
	var files []sdk.Path
	must(t, filepath.WalkDir(m.dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || path == m.dir {
			return err
		}
		rel, err := filepath.Rel(m.dir, path)
		if err != nil {
			return err
		}
		e, ok := found[rel]
		delete(found, rel)
		if !ok {
			t.Errorf("%q is not listed", rel)
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		want := map[os.FileMode]sdk.Type{0: sdk.TypeRegular, os.ModeDir: sdk.TypeDir, os.ModeSymlink: sdk.TypeSymlink}[info.Mode().Type()]
		if e.Type != want || (want == sdk.TypeRegular && e.Size != info.Size()) {
			t.Errorf("%q is a %s of %d bytes, not a %s of %d", rel, e.Type, e.Size, want, info.Size())
		}
		if !lacks.Perms && want != sdk.TypeSymlink && e.Perm&0o777 != sdk.Perm(info.Mode().Perm()) {
			t.Errorf("%q has mode %o, not %o", rel, e.Perm, info.Mode().Perm())
		}
		if off := time.Unix(e.Mtime.Sec, int64(e.Mtime.Nsec)).Sub(info.ModTime()).Abs(); want == sdk.TypeRegular && lacks.Mtime >= 0 && off > lacks.Mtime {
			t.Errorf("%q was modified at %v, not %v", rel, e.Mtime, info.ModTime())
		}
		switch want {
		case sdk.TypeSymlink:
			if to, err := os.Readlink(path); err != nil || e.Target != to {
				t.Errorf("%q points to %q, not %q", rel, e.Target, to)
			}
		case sdk.TypeRegular:
			files = append(files, sdk.Path(rel))
		}
		return nil
	}))
	for rel := range found {
		t.Errorf("%q is listed, and nobody put it there", rel)
	}
	for i, f := range read(t.Context(), t, src, &readRecorder{}, files...) {
		if want := content(t, m.dir, string(files[i])); f.err != nil || !bytes.Equal(f.content(), []byte(want)) {
			t.Errorf("%q: %d bytes that differ from the %d put there, error %v", files[i], len(f.content()), len(want), f.err)
		}
	}
}

func testStatAgrees(t T, s *suite) {
	m, src := s.sample(t)
	got, err := src.Stat(t.Context(), append(paths(m.entries), sdk.Root), sdk.FieldTarget|sdk.FieldXattrs)
	must(t, err)
	if len(got) != len(m.entries)+1 {
		t.Fatalf("%d answers to %d paths", len(got), len(m.entries)+1)
	}
	if root := got[len(m.entries)]; root.Name != "." || root.Type != sdk.TypeDir {
		t.Errorf("the root is described as %q, %s", root.Name, root.Type)
	}
	again := make([]walked, len(m.entries))
	for i := range m.entries {
		again[i] = walked{m.entries[i].path, got[i]}
	}
	same(t, "stat", m.entries, again)
	bare, err := src.Stat(t.Context(), paths(m.entries), 0)
	must(t, err)
	for i := range bare {
		want := m.entries[i].entry
		bare[i].Target, bare[i].Xattrs, want.Target, want.Xattrs = "", nil, "", nil
		if !cmp.Equal(bare[i], want) {
			t.Errorf("%q without targets and attributes is %+v, and with them %+v", m.entries[i].path, bare[i], want)
			return
		}
	}
}

func testDataAgrees(t T, s *suite) {
	m, src := s.sample(t)
	files, left := m.files()
	if left > 0 {
		t.Logf("left out: the data of %d files, beyond %d files and %d MiB", left, readFiles, readBytes>>20)
	}
	if len(files) == 0 {
		t.Skip("there are no files")
	}
	first, second := newDigests(len(files)), newDigests(len(files))
	must(t, src.Read(t.Context(), paths(files), first))
	// The other way round: the answer must not hang on the order.
	backward := slices.Clone(files)
	slices.Reverse(backward)
	must(t, src.Read(t.Context(), paths(backward), second))
	if first.next != len(files) || second.next != len(files) {
		t.Fatalf("read ended after %d and %d of %d files", first.next, second.next, len(files))
	}
	for i, w := range files {
		f, g := &first.files[i], &second.files[len(files)-1-i]
		if f.err != nil || g.err != nil {
			if f.err == nil || f.err.Kind != sdk.KindPermission {
				t.Errorf("read %q: %v, then %v", w.path, f.err, g.err)
			}
			continue
		}
		if diff := cmp.Diff(f.before, f.after, ignoreXattrs()); diff != "" {
			t.Errorf("%q, which nobody changed, changed while it was read:\n%s", w.path, diff)
		}
		if f.before.ID != w.entry.ID || f.before.Mtime != w.entry.Mtime || f.before.Size != w.entry.Size {
			t.Errorf("%q: listed as %v of %d bytes, modified %v; read as %v of %d bytes, modified %v", w.path,
				w.entry.ID, w.entry.Size, w.entry.Mtime, f.before.ID, f.before.Size, f.before.Mtime)
		}
		if first.sums[i] != second.sums[len(files)-1-i] {
			t.Errorf("%q: other data the second time", w.path)
		}
	}
}

func testMissing(t T, s *suite) {
	m, src := s.sample(t)
	dirs := []sdk.Path{sdk.Root}
	if d, ok := m.first(sdk.TypeDir); ok {
		dirs = append(dirs, d)
	}
	for _, dir := range dirs {
		p := absent(dir)
		if e := stat(t, src, p, 0); e.Type != sdk.TypeUnknown || e.Err == nil || e.Err.Kind != sdk.KindNotExist || e.Name != p.Base() {
			t.Errorf("stat %q: %q, %s, %v", p, e.Name, e.Type, e.Err)
		}
		if e := stat(t, src, absent(p), 0); e.Err == nil || e.Err.Kind != sdk.KindNotExist {
			t.Errorf("stat below %q: %v", p, e.Err)
		}
		for i, l := range scan(t, src, 0, p, dir) {
			if i == 0 && (l.began || l.err == nil || l.err.Kind != sdk.KindNotExist) || i == 1 && l.err != nil {
				t.Errorf("list %q: %v", []sdk.Path{p, dir}[i], l.err)
			}
		}
		f := read(t.Context(), t, src, &readRecorder{}, p)[0]
		if f.began && f.err == nil || f.err == nil || f.err.Kind != sdk.KindNotExist {
			t.Errorf("read %q: %v", p, f.err)
		}
	}
}

func testWrongTypes(t T, s *suite) {
	m, src := s.sample(t)
	wrong := func(what string, p sdk.Path, err *sdk.Error, kinds ...sdk.Kind) {
		t.Helper()
		if err == nil || !slices.Contains(kinds, err.Kind) {
			t.Errorf("%s %q: %v, want an error of kind %v", what, p, err, kinds)
		}
	}
	readOne := func(p sdk.Path) *sdk.Error { return read(t.Context(), t, src, &readRecorder{}, p)[0].err }
	if readOne(sdk.Root) == nil {
		t.Error("the root was read")
	}
	if p, ok := m.first(sdk.TypeDir); ok {
		wrong("read the directory", p, readOne(p), sdk.KindChanged)
	}
	if p, ok := m.first(sdk.TypeRegular); ok {
		wrong("list the file", p, scan(t, src, 0, p)[0].err, sdk.KindChanged)
		below := absent(p)
		wrong("look below the file", below, stat(t, src, below, 0).Err, sdk.KindChanged, sdk.KindNotExist)
	} else {
		t.Log("left out: there is no file")
	}
	if p, ok := m.first(sdk.TypeSymlink); ok {
		wrong("list the link", p, scan(t, src, 0, p)[0].err, sdk.KindChanged)
		wrong("read the link", p, readOne(p), sdk.KindChanged)
		wrong("look through the link", absent(p), stat(t, src, absent(p), 0).Err, sdk.KindChanged, sdk.KindNotExist)
	} else {
		t.Log("left out: there is no symbolic link")
	}
}

func testBadPaths(t T, s *suite) {
	_, src := s.sample(t)
	for _, p := range []sdk.Path{"", "/", "/etc", "..", "../etc", "a/../b", "a//b", "./a", "a\x00b", sdk.Path(strings.Repeat("n", sdk.MaxName+1))} {
		// A transport may refuse the whole request instead.
		out, err := src.Stat(t.Context(), []sdk.Path{p}, 0)
		if err == nil && (len(out) != 1 || out[0].Err == nil || out[0].Type != sdk.TypeUnknown) {
			t.Errorf("stat %.40q: %+v", p, out)
		}
		rec := newRecorder(1)
		if err := src.Scan(t.Context(), sdk.ScanRequest{Dirs: []sdk.Path{p}}, rec); err == nil && (rec.dirs[0].began || rec.dirs[0].err == nil) {
			t.Errorf("list %.40q: no error", p)
		}
		files := &readRecorder{files: make([]readFile, 1)}
		if err := src.Read(t.Context(), []sdk.Path{p}, files); err == nil && files.files[0].err == nil {
			t.Errorf("read %.40q: no error", p)
		}
	}
	usable(t, src)
}

// usable fails unless the resource still answers.
func usable(t T, src sdk.Source) {
	t.Helper()
	if l := scan(t, src, 0, sdk.Root)[0]; l.err != nil {
		t.Errorf("afterwards the root cannot be listed: %v", l.err)
	}
}

func testLargeRequests(t T, s *suite) {
	_, src := s.sample(t)
	n := max(s.many(2500), sdk.MaxBatch+2) // an even number
	many := slices.Repeat([]sdk.Path{sdk.Root, absent(sdk.Root)}, n/2)
	out, err := src.Stat(t.Context(), many, 0)
	must(t, err)
	if len(out) != n {
		t.Fatalf("%d answers to %d paths", len(out), n)
	}
	for i := range out {
		if (out[i].Err != nil) != (i%2 == 1) {
			t.Fatalf("answer %d of %d: %+v", i, n, out[i])
		}
	}
	missing := append(slices.Repeat([]sdk.Path{absent(sdk.Root)}, n), sdk.Root)
	if l := scan(t, src, 0, missing...); l[n].err != nil || l[n-1].err == nil {
		t.Errorf("list %d directories: %v, %v", n+1, l[n-1].err, l[n].err)
	}
	long := sdk.Path(strings.Repeat(strings.Repeat("n", sdk.MaxName)+"/", sdk.MaxPath/(sdk.MaxName+1)-1) + "n")
	for _, e := range []sdk.Entry{stat(t, src, long, 0)} {
		if e.Err == nil {
			t.Errorf("a path of %d bytes exists", len(long))
		}
	}
	if len(scan(t, src, 0)) != 0 {
		t.Error("a scan of nothing gave directories")
	}
	none, err := src.Stat(t.Context(), nil, 0)
	if err != nil || len(none) != 0 {
		t.Errorf("stat of nothing: %d answers, %v", len(none), err)
	}
}

func testConcurrentReading(t T, s *suite) {
	m, _ := s.sample(t)
	src := s.open(t, s.driver, m.address)
	entries := m.entries[:min(len(m.entries), 200)]
	files, _ := m.files()
	files = files[:min(len(files), 20)]
	want := newDigests(len(files))
	must(t, src.Read(t.Context(), paths(files), want))
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 3 {
				got, err := src.Stat(t.Context(), paths(entries), sdk.FieldTarget|sdk.FieldXattrs)
				if err != nil || len(got) != len(entries) {
					t.Errorf("stat: %d answers, %v", len(got), err)
					return
				}
				for i := range got {
					if !cmp.Equal(got[i], entries[i].entry) {
						t.Errorf("stat %q differs from its listing", entries[i].path)
						return
					}
				}
				rec := newRecorder(1)
				if err := src.Scan(t.Context(), sdk.ScanRequest{Dirs: []sdk.Path{sdk.Root}}, rec); err != nil || rec.dirs[0].err != nil {
					t.Errorf("scan: %v, %v", err, rec.dirs[0].err)
					return
				}
				d := newDigests(len(files))
				if err := src.Read(t.Context(), paths(files), d); err != nil {
					t.Errorf("read: %v", err)
					return
				}
				for i := range files {
					if d.sums[i] != want.sums[i] {
						t.Errorf("read %q: other data than alone, %v, then %v", files[i].path, want.files[i].err, d.files[i].err)
						return
					}
				}
			}
		})
	}
	wg.Wait()
}

func testIdentityTwice(t T, s *suite) {
	m, src := s.sample(t)
	a, err := src.Identity(t.Context())
	must(t, err)
	b, err := s.open(t, s.driver, m.address).Identity(t.Context())
	must(t, err)
	if a != b || a.Filesystem == "" || a.Root.IsZero() {
		t.Errorf("the root is %+v, and opened once more %+v", a, b)
	}
	if root := list(t, src, 0, sdk.Root).self.ID; root != a.Root {
		t.Errorf("identity says the root is %v, the scan %v", a.Root, root)
	}
}

// testClock leaves out what needs somebody to change the tree.
func testClock(t T, s *suite) {
	m, src := s.sample(t)
	a, err := src.Beacon(t.Context())
	must(t, err)
	b, err := src.Beacon(t.Context())
	must(t, err)
	if b.Now.Compare(a.Now) < 0 || a.Window < 0 || b.Now.IsZero() {
		t.Errorf("the clock says %v, then %v; window %v", a.Now, b.Now, a.Window)
	}
	for _, w := range m.entries {
		if w.entry.Ctime.Compare(b.Now) > 0 {
			t.Errorf("%q was changed at %v, which the clock has not reached: %v", w.path, w.entry.Ctime, b.Now)
			break
		}
	}
}
