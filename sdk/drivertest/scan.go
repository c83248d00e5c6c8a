package drivertest

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/google/go-cmp/cmp"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/schema"
)

func testDescribe(t T, s *suite) {
	d := s.driver.Describe()
	if d.Name == "" || d.Version == "" || len(d.Schemes) == 0 || len(d.Roles) == 0 {
		t.Errorf("incomplete: %+v", d)
	}
	if !slices.Contains(d.Schemes, d.Name) {
		t.Errorf("its name %q is none of its schemes %q", d.Name, d.Schemes)
	}
	seen := map[string]bool{}
	for _, a := range d.Schema {
		if a.Name == "" || a.Type < schema.String || a.Type > schema.Strings || a.Doc == "" {
			t.Errorf("attribute incomplete: %+v", a)
		}
		if seen[a.Name] {
			t.Errorf("attribute %q is there twice", a.Name)
		}
		seen[a.Name] = true
		if a.Required && a.Default != nil {
			t.Errorf("attribute %q is required and has a default", a.Name)
		}
		if v, ok := a.Default.(string); len(a.OneOf) > 0 && (a.Type != schema.String || ok && !slices.Contains(a.OneOf, v)) {
			t.Errorf("attribute %q: %v is none of %q", a.Name, a.Default, a.OneOf)
		}
		if a.Default != nil {
			data, err := schema.Values{a.Name: a.Default}.Marshal()
			must(t, err)
			got, err := schema.Schema{{Name: a.Name, Type: a.Type}}.Unmarshal(data)
			if err != nil || !cmp.Equal(got[a.Name], a.Default) {
				t.Errorf("attribute %q must be %s; its default is a %T, %v", a.Name, a.Type, a.Default, a.Default)
			}
		}
	}
	if diff := cmp.Diff(d, s.driver.Describe()); diff != "" {
		t.Errorf("described differently the second time:\n%s", diff)
	}
}

func testCheck(t T, s *suite) {
	for _, role := range s.driver.Describe().Roles {
		tree := s.cfg.NewTree(t)
		for _, d := range s.driver.Check(t.Context(), s.request(t, tree, role)) {
			if !d.Warning {
				t.Errorf("%s: complaint about a good tree: %s", role, d.Summary)
			}
		}
		if s.cfg.Mounted {
			continue
		}
		must(t, os.RemoveAll(tree.Dir))
		var bad int
		for _, d := range s.driver.Check(t.Context(), s.request(t, tree, role)) {
			if !d.Warning {
				bad++
				if d.Summary == "" || d.Detail == "" || strings.ContainsRune(d.Summary, '\n') {
					t.Errorf("%s: no clear complaint: %+v", role, d)
				}
			}
		}
		want := 0
		if role == sdk.Primary && !s.cfg.Remote {
			want = 1
		}
		if bad != want {
			t.Errorf("%s: %d complaints about a missing root, want %d", role, bad, want)
		}
		if _, err := os.Lstat(tree.Dir); err == nil {
			t.Errorf("%s: Check made the root", role)
		}
	}
}

func testScanOrder(t T, s *suite) {
	src, _ := s.source(t, func(dir string) {
		mkdirAll(t, dir, "b/sub", "a", "c")
		for _, n := range []string{"b/z", "b/a", "b/Z", "b/a.b", "b/a-b", "b/sub/x"} {
			put(t, dir, n, n)
		}
	})
	dirs := scan(t, src, 0, "b", ".", "c", "b", "b/sub")
	want := [][]string{{"Z", "a", "a-b", "a.b", "sub", "z"}, {"a", "b", "c"}, nil, {"Z", "a", "a-b", "a.b", "sub", "z"}, {"x"}}
	for i := range dirs {
		if dirs[i].err != nil {
			t.Errorf("directory %d: %v", i, dirs[i].err)
		}
		if diff := cmp.Diff(want[i], dirs[i].names()); diff != "" {
			t.Errorf("directory %d:\n%s", i, diff)
		}
	}
	if a, b := dirs[0].self.ID, dirs[1].find(t, "b").ID; a != b || a.IsZero() {
		t.Errorf("the directory's own row says %v, its parent's %v", a, b)
	}
	if got := scan(t, src, 0); len(got) != 0 {
		t.Errorf("a scan of nothing gave %d directories", len(got))
	}
}

func testScanErrors(t T, s *suite) {
	src, _ := s.source(t, func(dir string) {
		mkdirAll(t, dir, "good", "deep")
		put(t, dir, "file", "x")
		must(t, os.Symlink("good", filepath.Join(dir, "link")))
		must(t, syscall.Mkfifo(filepath.Join(dir, "fifo"), 0o600))
	})
	dirs := scan(t, src, 0, "missing", "good", "file", "link", "fifo", "link/x", "deep")
	wants := []sdk.Kind{sdk.KindNotExist, 0, sdk.KindChanged, sdk.KindChanged, sdk.KindChanged, sdk.KindChanged, 0}
	for i, want := range wants {
		err := dirs[i].err
		if want == 0 {
			if err != nil || !dirs[i].began {
				t.Errorf("directory %d: %v", i, err)
			}
			continue
		}
		if err == nil || err.Kind != want || dirs[i].began {
			t.Errorf("directory %d: %v, begun %v, want kind %s", i, err, dirs[i].began, want)
		}
	}
}

func testScanNames(t T, s *suite) {
	var want []string
	src, _ := s.source(t, func(dir string) {
		for b := 1; b < 256; b++ {
			if b != '/' && b != '.' {
				want = append(want, string([]byte{byte(b)}))
			}
		}
		want = append(want, strings.Repeat("n", 255), "...", "a\nb", " lead", "trail ", "-rf", "\xff\xfe", sdk.ReservedPrefix+"x")
		slices.Sort(want)
		for _, n := range want {
			put(t, dir, n, "")
		}
	})
	l := list(t, src, 0, sdk.Root)
	if diff := cmp.Diff(want, l.names()); diff != "" {
		t.Errorf("names:\n%s", diff)
	}
	for _, n := range want {
		if e := stat(t, src, sdk.Path(n), 0); e.Err != nil || e.Name != n {
			t.Errorf("stat %q: %q, %v", n, e.Name, e.Err)
		}
	}
}

func testScanTypes(t T, s *suite) {
	long := strings.Repeat("t", 1000)
	src, tree := s.source(t, func(dir string) {
		put(t, dir, "file", "12345")
		must(t, os.Chmod(filepath.Join(dir, "file"), 0o604))
		must(t, os.Link(filepath.Join(dir, "file"), filepath.Join(dir, "hard")))
		mkdirAll(t, dir, "dir")
		must(t, os.Symlink("nowhere\xff", filepath.Join(dir, "link")))
		must(t, os.Symlink(long, filepath.Join(dir, "longlink")))
		must(t, syscall.Mkfifo(filepath.Join(dir, "fifo"), 0o600))
		must(t, syscall.Mknod(filepath.Join(dir, "socket"), syscall.S_IFSOCK|0o600, 0))
		if os.Geteuid() == 0 {
			must(t, syscall.Mknod(filepath.Join(dir, "char"), syscall.S_IFCHR|0o600, 0x12345))
		}
	})
	l := list(t, src, sdk.FieldTarget|sdk.FieldXattrs|sdk.FieldMark, sdk.Root)
	for name, want := range map[string]sdk.Type{"file": sdk.TypeRegular, "hard": sdk.TypeRegular, "dir": sdk.TypeDir, "link": sdk.TypeSymlink, "fifo": sdk.TypeFIFO, "socket": sdk.TypeSocket} {
		e := l.find(t, name)
		st := sys(t, filepath.Join(tree.Dir, name))
		if e.Type != want || e.ID.Ino != st.Ino || e.UID != st.Uid || e.GID != st.Gid || uint64(e.Nlink) != uint64(st.Nlink) ||
			e.Mtime != (sdk.Time{Sec: st.Mtim.Sec, Nsec: uint32(st.Mtim.Nsec)}) || e.Ctime != (sdk.Time{Sec: st.Ctim.Sec, Nsec: uint32(st.Ctim.Nsec)}) {
			t.Errorf("%s: %+v, the system says %+v", name, e, st)
		}
	}
	if e := l.find(t, "file"); e.Size != 5 || e.Perm != 0o604 || e.ID != l.find(t, "hard").ID {
		t.Errorf("file: %+v", e)
	}
	if e := l.find(t, "link"); e.Target != "nowhere\xff" || e.Size != 0 {
		t.Errorf("link: %+v", e)
	}
	if e := l.find(t, "longlink"); e.Target != long {
		t.Errorf("long link: %d bytes", len(e.Target))
	}
	if os.Geteuid() == 0 {
		if e := l.find(t, "char"); e.Type != sdk.TypeChar || e.Major != 0x123 || e.Minor != 0x45 {
			t.Errorf("device: %+v", e)
		}
	} else {
		t.Log("left out: devices, which only root makes")
	}
}

func testScanLarge(t T, s *suite) {
	files, dirs := s.many(3000), s.many(40)
	src, _ := s.source(t, func(dir string) {
		mkdirAll(t, dir, "large")
		for i := range files {
			put(t, dir, fmt.Sprintf("large/%05d", i), "")
		}
		for i := range dirs {
			mkdirAll(t, dir, fmt.Sprintf("d%02d/x", i))
		}
	})
	req := []sdk.Path{"large"}
	for i := range dirs {
		req = append(req, sdk.Path(fmt.Sprintf("d%02d", i)))
	}
	req = append(req, "large")
	got := scan(t, src, 0, req...)
	for _, i := range []int{0, len(got) - 1} {
		if n := len(got[i].entries); n != files || got[i].err != nil {
			t.Errorf("%d entries, %v", n, got[i].err)
		}
	}
	for i := range dirs {
		if diff := cmp.Diff([]string{"x"}, got[i+1].names()); diff != "" {
			t.Errorf("directory %d: %s", i, diff)
		}
	}
}

func testScanSinkError(t T, s *suite) {
	src, _ := s.source(t, func(dir string) {
		for i := range 50 {
			mkdirAll(t, dir, fmt.Sprintf("%02d/x", i))
		}
	})
	var dirs []sdk.Path
	for i := range 50 {
		dirs = append(dirs, sdk.Path(fmt.Sprintf("%02d", i)))
	}
	stop := errors.New("enough")
	rec := newRecorder(len(dirs))
	var n int
	rec.onEntry = func(*sdk.Entry) error {
		if n++; n == 7 {
			return stop
		}
		return nil
	}
	if err := src.Scan(t.Context(), sdk.ScanRequest{Dirs: dirs}, rec); !errors.Is(err, stop) {
		t.Errorf("scan ended with %v, want the sink's error", err)
	}
	if n != 7 {
		t.Errorf("%d entries came, want 7", n)
	}
}

// testDeepTree goes beyond what one system call can name.
func testDeepTree(t T, s *suite) {
	dst, tree := s.target(t, nil)
	name := strings.Repeat("d", 250)
	p := sdk.Path(name)
	var ops []sdk.Op
	deep := 20_000
	if s.cfg.Mounted {
		deep = 3_000
	}
	for len(p) < deep {
		ops = append(ops, sdk.Op{Kind: sdk.OpMkdir, Path: p})
		p = p.Join(name)
	}
	apply(t, dst, ops...)
	last := ops[len(ops)-1].Path
	apply(t, dst,
		sdk.Op{Kind: sdk.OpSymlink, Path: last.Join("link"), Target: "x", Meta: meta()},
		sdk.Op{Kind: sdk.OpRename, From: last.Join("link"), Path: last.Join("moved")})
	if diff := cmp.Diff([]string{"moved"}, list(t, dst, 0, last).names()); diff != "" {
		t.Error(diff)
	}
	if e := stat(t, dst, last.Join("moved"), sdk.FieldTarget); e.Target != "x" {
		t.Errorf("%+v", e)
	}
	apply(t, dst, sdk.Op{Kind: sdk.OpRemoveTree, Path: sdk.Path(name)})
	gone(t, filepath.Join(tree.Dir, name))
}

func testStat(t T, s *suite) {
	src, _ := s.source(t, func(dir string) {
		mkdirAll(t, dir, "d")
		put(t, dir, "d/f", "abc")
		must(t, os.Symlink("d", filepath.Join(dir, "link")))
	})
	out, err := src.Stat(t.Context(), []sdk.Path{".", "d/f", "d", "d/none", "link/f", "d/f/x", "link"}, sdk.FieldTarget)
	must(t, err)
	want := []struct {
		name string
		typ  sdk.Type
	}{{".", sdk.TypeDir}, {"f", sdk.TypeRegular}, {"d", sdk.TypeDir}, {"none", 0}, {"f", 0}, {"x", 0}, {"link", sdk.TypeSymlink}}
	for i, w := range want {
		e := &out[i]
		if err := e.Validate(); err != nil || e.Name != w.name || e.Type != w.typ || (e.Type == 0) != (e.Err != nil) {
			t.Errorf("answer %d: %+v, %v", i, e, err)
		}
	}
	if out[3].Err.Kind != sdk.KindNotExist || out[4].Err.Kind != sdk.KindChanged || out[6].Target != "d" {
		t.Errorf("%v, %v, %q", out[3].Err, out[4].Err, out[6].Target)
	}
	root := list(t, src, 0, sdk.Root)
	if out[0].ID != root.self.ID || out[2].ID != root.find(t, "d").ID {
		t.Error("Stat and Scan name objects differently")
	}
	if !bytes.Equal([]byte(out[1].Name), []byte("f")) || out[1].Size != 3 {
		t.Errorf("%+v", out[1])
	}
}
