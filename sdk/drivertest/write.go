package drivertest

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"

	"github.com/google/go-cmp/cmp"

	"github.com/gsyncd/gsyncd-host/sdk"
)

func testWrite(t T, s *suite) {
	dst, tree := s.target(t, nil)
	mkdirAll(t, tree.Dir, "d")
	const mib = 1 << 20
	data := noise(2*mib + 5)
	w, err := dst.Write(t.Context())
	must(t, err)
	begin := func(p sdk.Path, size int64) {
		t.Helper()
		must(t, w.Begin(sdk.NewFile{Path: p, Size: size, Meta: meta()}))
	}
	begin("empty", 0)
	must(t, w.End(true))
	begin("d/large", int64(len(data)))
	for off := 0; off < len(data); off += mib {
		must(t, w.Data(int64(off), data[off:min(off+mib, len(data))]))
	}
	must(t, w.End(true))
	begin("sparse", 10*mib)
	must(t, w.Data(5*mib, data[:4096]))
	must(t, w.End(true))
	begin("hole", 3*mib)
	must(t, w.End(true))
	begin("dropped", 3)
	must(t, w.Data(0, []byte("abc")))
	must(t, w.End(false))
	for i := range 100 {
		begin(sdk.Path(fmt.Sprintf("d/small%d", i)), 1)
		must(t, w.Data(0, []byte("x")))
		must(t, w.End(true))
	}
	fine := meta()
	if can(t, dst, sdk.FineMtime, "nanoseconds") {
		fine.Mtime.Nsec = 987654321
	}
	must(t, w.Begin(sdk.NewFile{Path: "fine", Meta: fine}))
	must(t, w.End(true))
	res, err := w.Close()
	must(t, err)
	if len(res) != 106 {
		t.Errorf("%d results, want one a file", len(res))
	}
	if e := stat(t, dst, "fine", 0); e.Mtime != fine.Mtime {
		t.Errorf("time %v, want %v", e.Mtime, fine.Mtime)
	}
	for i := range res {
		if res[i].Err != nil || res[i].Lost != 0 {
			t.Errorf("file %d: %v, lost %b", i, res[i].Err, res[i].Lost)
		}
	}
	gone(t, filepath.Join(tree.Dir, "dropped"))
	sparse := make([]byte, 10*mib)
	copy(sparse[5*mib:], data[:4096])
	for name, want := range map[string][]byte{"empty": nil, "d/large": data, "sparse": sparse, "hole": make([]byte, 3*mib), "d/small99": []byte("x")} {
		got, err := os.ReadFile(filepath.Join(tree.Dir, name))
		must(t, err)
		if !bytes.Equal(got, want) {
			t.Errorf("%s: wrong content, %d bytes", name, len(got))
		}
		if e := stat(t, dst, sdk.Path(name), 0); e.Perm != 0o640 || e.Mtime.Sec != meta().Mtime.Sec {
			t.Errorf("%s: mode %o, time %v", name, e.Perm, e.Mtime)
		}
	}
	if st := sys(t, filepath.Join(tree.Dir, "sparse")); st.Blocks*512 > 2*mib {
		t.Errorf("the sparse file takes %d bytes", st.Blocks*512)
	}
}

// testWriteXattrs writes files so large that their attributes, which come at the
// beginning, are set many messages later.
func testWriteXattrs(t T, s *suite) {
	dst, tree := s.target(t, nil)
	if !can(t, dst, sdk.CanXattrs, "extended attributes") {
		return
	}
	const mib, size = 1 << 20, 12 << 20
	data := noise(mib)
	w, err := dst.Write(t.Context())
	must(t, err)
	names := []sdk.Path{"a", "b", "c"}
	want := func(p sdk.Path) []sdk.Xattr {
		return []sdk.Xattr{{Name: "user.empty", Value: []byte{}}, {Name: "user.long", Value: bytes.Repeat([]byte(p), 300)}, {Name: "user.name", Value: []byte(p)}}
	}
	for _, p := range names {
		m := meta()
		m.Mask |= sdk.MetaXattrs
		m.Xattrs = want(p)
		must(t, w.Begin(sdk.NewFile{Path: p, Size: size, Meta: m}))
		for off := int64(0); off < size; off += mib {
			must(t, w.Data(off, data))
		}
		must(t, w.End(true))
	}
	res, err := w.Close()
	must(t, err)
	if len(res) != len(names) {
		t.Fatalf("%d results, want one a file", len(res))
	}
	for i, p := range names {
		if res[i].Err != nil || res[i].Lost != 0 {
			t.Errorf("%s: %v, lost %b", p, res[i].Err, res[i].Lost)
			continue
		}
		if diff := cmp.Diff(want(p), stat(t, dst, p, sdk.FieldXattrs).Xattrs); diff != "" {
			t.Errorf("%s: %s", p, diff)
		}
		must(t, os.Remove(filepath.Join(tree.Dir, string(p))))
	}
}

// testWriteUnended leaves a stream in the middle of a file. Whether that is an
// error is the driver's to say; the file must not stay.
func testWriteUnended(t T, s *suite) {
	dst, tree := s.target(t, nil)
	w, err := dst.Write(t.Context())
	must(t, err)
	must(t, w.Begin(sdk.NewFile{Path: "unended", Size: 3, Meta: meta()}))
	must(t, w.Data(0, []byte("abc")))
	if _, err := w.Close(); err != nil {
		t.Logf("close: %v", err)
	}
	poll(t, "half a file to be removed", func() bool {
		_, err := os.Lstat(filepath.Join(tree.Dir, "unended"))
		return os.IsNotExist(err)
	})
}

func testWriteErrors(t T, s *suite) {
	dst, tree := s.target(t, nil)
	put(t, tree.Dir, "there", "old")
	mkdirAll(t, tree.Dir, "dir")
	w, err := dst.Write(t.Context())
	must(t, err)
	file := func(p sdk.Path, size int64, off int64, data string) {
		t.Helper()
		must(t, w.Begin(sdk.NewFile{Path: p, Size: size, Meta: meta()}))
		if data != "" {
			must(t, w.Data(off, []byte(data)))
		}
		must(t, w.End(true))
	}
	file("there", 3, 0, "new")
	file("dir", 3, 0, "new")
	file("none/x", 3, 0, "new")
	file("toolong", 3, 2, "new")
	file("good", 3, 0, "new")
	res, err := w.Close()
	must(t, err)
	if len(res) != 5 {
		t.Fatalf("%d results, want 5", len(res))
	}
	for i, want := range []sdk.Kind{sdk.KindChanged, sdk.KindChanged, sdk.KindNotExist, sdk.KindInput} {
		if res[i].Err == nil || res[i].Err.Kind != want {
			t.Errorf("file %d: %v, want kind %s", i, res[i].Err, want)
		}
	}
	if res[4].Err != nil || content(t, tree.Dir, "good") != "new" || content(t, tree.Dir, "there") != "old" {
		t.Errorf("%v", res[4].Err)
	}
	gone(t, filepath.Join(tree.Dir, "toolong"))
}

func testSync(t T, s *suite) {
	dst, tree := s.target(t, nil)
	put(t, tree.Dir, "f", "f")
	apply(t, dst, sdk.Op{Kind: sdk.OpMkdir, Path: "d"})
	must(t, dst.Sync(t.Context()))
	must(t, dst.Sync(t.Context()))
}

// testSynced puts many new files into place at once, whose data is on the disk
// already. One that is not there fails alone.
func testSynced(t T, s *suite) {
	const dirs, files, missing = 3, 20, 25
	dst, tree := s.target(t, nil)
	var ops []sdk.Op
	for d := range dirs {
		dir := fmt.Sprintf("d%d", d)
		mkdirAll(t, tree.Dir, dir)
		put(t, tree.Dir, dir+"/f7", "was here")
		for f := range files {
			from := sdk.Path(fmt.Sprintf("%s/%s%d", dir, sdk.ReservedPrefix, f))
			if len(ops) != missing {
				put(t, tree.Dir, string(from), fmt.Sprint(d, f))
			}
			ops = append(ops, sdk.Op{Kind: sdk.OpRename, From: from, Path: sdk.Path(fmt.Sprintf("%s/f%d", dir, f)), Synced: true})
		}
	}
	ops = append(ops, sdk.Op{Kind: sdk.OpRename, From: "d0/f0", Path: "d1/last"}) // after them all
	for i, res := range tryApply(t, dst, ops...) {
		if (res.Err != nil) != (i == missing) {
			t.Errorf("%s to %s: %v", ops[i].From, ops[i].Path, res.Err)
		}
	}
	for i, op := range ops[1:] {
		d, f := (i+1)/files, (i+1)%files
		switch want := fmt.Sprint(d, f); {
		case i+1 == missing:
			gone(t, filepath.Join(tree.Dir, string(op.Path)))
		case i+1 == dirs*files:
			want = fmt.Sprint(0, 0)
			fallthrough
		default:
			if got := content(t, tree.Dir, string(op.Path)); got != want {
				t.Errorf("%s holds %q, want %q", op.Path, got, want)
			}
		}
	}
	s.ours(t, tree.Dir)
}
