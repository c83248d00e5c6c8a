package rust_test

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/drivertest"
)

// TestDriver runs the conformance suite.
func TestDriver(t *testing.T) {
	base := t.TempDir()
	launch := func(t drivertest.T) (sdk.Driver, func()) { return guest(t, base) }
	drivertest.Run(t, drivertest.Config{
		Launch:       func(t drivertest.T) sdk.Driver { d, _ := launch(t); return d },
		LaunchToKill: launch,
		Lacks:        drivertest.Lacks{Mtime: time.Second},
		Scale:        2,
		Build: func(t drivertest.T, dir string) sdk.Address {
			path := filepath.Join(base, "a.cpio")
			put(t, path, tree(t, dir))
			return sdk.Address{Scheme: "cpio", Rest: path}
		},
	})
}

// opener opens archives, all with one guest.
type opener struct {
	driver sdk.Driver
	path   string
}

func newOpener(t *testing.T) *opener {
	dir := t.TempDir()
	d, _ := guest(t, dir)
	return &opener{d, filepath.Join(dir, "a.cpio")}
}

func (o *opener) open(t *testing.T, archive []byte) (sdk.Source, error) {
	t.Helper()
	put(t, o.path, archive)
	s, err := o.driver.OpenSource(t.Context(), request(o.path))
	if err == nil {
		t.Cleanup(func() { s.Close() })
	}
	return s, err
}

func (o *opener) mustOpen(t *testing.T, archive []byte) sdk.Source {
	t.Helper()
	s, err := o.open(t, archive)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestArchives(t *testing.T) {
	o := newOpener(t)
	t.Run("types", func(t *testing.T) { o.types(t) })
	t.Run("bad", func(t *testing.T) { o.bad(t) })
	t.Run("many", func(t *testing.T) { o.many(t) })
	t.Run("segments", func(t *testing.T) { o.segments(t) })
	t.Run("broken", func(t *testing.T) { o.broken(t) })
	t.Run("checksums", func(t *testing.T) { o.checksums(t) })
	t.Run("changes", func(t *testing.T) { o.changes(t) })
	t.Run("busybox", func(t *testing.T) { o.busybox(t) })
	t.Run("check", func(t *testing.T) { o.check(t) })
}

func (o *opener) types(t *testing.T) {
	linked := func(name, data string) member {
		return with(regular(name, data), func(m *member) { m.ino, m.links = 5, 3 })
	}
	of := func(name string, mode uint32, data string) member {
		return with(regular(name, data), func(m *member) { m.mode = mode })
	}
	s := o.mustOpen(t, packed(
		of(".", unix.S_IFDIR|0o700, ""), linked("one", ""), linked("deep/er/two", ""), linked("three", "linked"),
		of("link", unix.S_IFLNK|0o777, "../x"), of("fifo", unix.S_IFIFO|0o600, ""), of("socket", unix.S_IFSOCK|0o600, ""),
		with(of("null", unix.S_IFCHR|0o666, ""), func(m *member) { m.major, m.minor = 1, 3 }),
		with(of("disk", unix.S_IFBLK|0o660, ""), func(m *member) { m.major, m.minor = 8, 0 }),
		regular("twice", "old"), regular("twice", "newer"), regular("set", "s"), regular("./a//b", "clean"),
	))
	all := walk(t, s)
	for p, want := range map[sdk.Path]sdk.Entry{
		".": {Type: sdk.TypeDir, Perm: 0o700, UID: 7, GID: 8, Nlink: 2}, "one": {Type: sdk.TypeRegular, Perm: 0o640, UID: 7, GID: 8, Size: 6, Nlink: 3},
		"deep/er": {Type: sdk.TypeDir, Perm: 0o755, UID: 7, GID: 8, Nlink: 2}, "link": {Type: sdk.TypeSymlink, Perm: 0o777, UID: 7, GID: 8, Target: "../x", Nlink: 1},
		"fifo": {Type: sdk.TypeFIFO, Perm: 0o600, UID: 7, GID: 8, Nlink: 1}, "socket": {Type: sdk.TypeSocket, Perm: 0o600, UID: 7, GID: 8, Nlink: 1},
		"null": {Type: sdk.TypeChar, Perm: 0o666, UID: 7, GID: 8, Major: 1, Minor: 3, Nlink: 1}, "disk": {Type: sdk.TypeBlock, Perm: 0o660, UID: 7, GID: 8, Major: 8, Nlink: 1},
		"twice": {Type: sdk.TypeRegular, Perm: 0o640, UID: 7, GID: 8, Size: 5, Nlink: 1},
	} {
		e := all[p]
		if e.Mtime.Sec != 1234567890 || e.Ctime.IsZero() || e.ID.IsZero() {
			t.Errorf("%s: times %v, %v, identity %v", p, e.Mtime, e.Ctime, e.ID)
		}
		e.Name, e.Mtime, e.Ctime, e.ID = "", sdk.Time{}, sdk.Time{}, sdk.FileID{}
		if p == "deep/er" {
			e.UID, e.GID = 7, 8 // those of the archive's own file
		}
		if diff := cmp.Diff(want, e); diff != "" {
			t.Errorf("%s:\n%s", p, diff)
		}
	}
	if all["one"].ID != all["deep/er/two"].ID || all["one"].ID == all["twice"].ID {
		t.Error("identities of links")
	}
	for i, f := range read(t, s, "deep/er/two", "twice", "a/b", "three", "one") {
		if want := []string{"linked", "newer", "clean", "linked", "linked"}[i]; f.data != want || f.err != nil {
			t.Errorf("file %d: %q, %v", i, f.data, f.err)
		}
	}
}

func (o *opener) bad(t *testing.T) {
	s := o.mustOpen(t, packed(
		regular("../../etc/passwd", "x"), regular("/etc/passwd", "x"), regular("a/../b", "x"), regular(strings.Repeat("n", 300), "x"), regular("", "x"),
		regular("good", "good"), regular("good/below", "x"), with(regular("link", "/etc"), func(m *member) { m.mode = unix.S_IFLNK | 0o777 }), regular("link/passwd", "x"),
		regular("full/x", "x"), regular("full", "x"), with(regular("odd", ""), func(m *member) { m.mode = 0o170000 }), with(regular("nowhere", ""), func(m *member) { m.mode = unix.S_IFLNK }),
	))
	all := walk(t, s)
	var bad []string
	for p, e := range all {
		if e.Type != sdk.TypeRegular {
			continue
		}
		if f := read(t, s, p)[0]; f.err != nil {
			bad = append(bad, string(p))
			if f.err.Kind != sdk.KindUnsupported || f.err.Path != p || f.err.Msg == "" {
				t.Errorf("%s: %+v", p, f.err)
			}
		}
	}
	slices.Sort(bad)
	want := []string{"%", "%2Fetc%2Fpasswd", "..%2F..%2Fetc%2Fpasswd", "a%2F..%2Fb", "full~2", "good%2Fbelow", "link%2Fpasswd", strings.Repeat("n", 200), "nowhere", "odd"}
	if diff := cmp.Diff(want, bad); diff != "" {
		t.Error(diff)
	}
	if f := read(t, s, "good", "odd"); f[0].data != "good" || f[1].err == nil || f[1].err.Kind != sdk.KindUnsupported {
		t.Errorf("%+v", f)
	}
}

// many: the begin and the end of a directory are rows of a piece like entries.
func (o *opener) many(t *testing.T) {
	const n = 400
	var members []member
	for i := range n {
		members = append(members, regular(fmt.Sprintf("d%03d/f", i), ""))
	}
	if all := walk(t, o.mustOpen(t, packed(members...))); len(all) != 1+2*n {
		t.Errorf("%d entries, want %d", len(all), 1+2*n)
	}
}

// segments: an initramfs image is several archives.
func (o *opener) segments(t *testing.T) {
	one, two := packed(with(regular("a", "1"), func(m *member) { m.ino, m.links = 5, 2 })), packed(regular("b", "2"), with(regular("c", "3"), func(m *member) { m.ino, m.links = 5, 2 }))
	s := o.mustOpen(t, slices.Concat(one, make([]byte, 512), two))
	names := slices.Sorted(maps.Keys(walk(t, s)))
	if diff := cmp.Diff([]sdk.Path{".", "a", "b", "c"}, names); diff != "" {
		t.Error(diff)
	}
	if f := read(t, s, "a", "c"); f[0].data != "1" || f[1].data != "3" {
		t.Errorf("%+v", f)
	}
	_, err := o.open(t, slices.Concat(one, make([]byte, 512), []byte("\x28\xb5\x2f\xfd rest of it")))
	if sdk.KindOf(err) != sdk.KindUnsupported || !strings.Contains(err.Error(), "compressed (zstd)") {
		t.Errorf("compressed behind it: %v", err)
	}
}

func (o *opener) broken(t *testing.T) {
	whole := packed(regular("a", "12345"), regular("b", "12345"))
	for cut := 0; cut < len(whole); cut += 13 {
		if _, err := o.open(t, whole[:cut]); sdk.KindOf(err) != sdk.KindTransient || err == nil {
			t.Errorf("%d bytes of %d: %v", cut, len(whole), err)
		}
	}
	for _, damage := range []func(b []byte){
		func(b []byte) { b[0] = 'x' }, func(b []byte) { b[10] = 'g' }, func(b []byte) { copy(b[94:], "00000000") }, func(b []byte) { copy(b[54:], "FFFFFFFF") },
		func(b []byte) { copy(b[94:], "00000001") }, func(b []byte) { copy(b[14:], "-0000001") },
	} {
		b := slices.Clone(whole)
		damage(b)
		if _, err := o.open(t, b); sdk.KindOf(err) != sdk.KindTransient || err == nil {
			t.Errorf("a damaged archive: %v", err)
		}
	}
	var many []member
	for i := range 1001 {
		many = append(many, regular(strings.Repeat("x", i%200+1)+string(rune('a'+i/200)), ""))
	}
	if _, err := o.open(t, packed(many...)); err == nil || !strings.Contains(err.Error(), "max_entries") {
		t.Errorf("too many: %v", err)
	}
}

func (o *opener) checksums(t *testing.T) {
	right, wrong := uint32('a'+'b'+'c'), uint32(1)
	s := o.mustOpen(t, packed(with(regular("right", "abc"), func(m *member) { m.sum = &right }), with(regular("wrong", "abc"), func(m *member) { m.sum = &wrong })))
	if f := read(t, s, "right", "wrong"); f[0].err != nil || f[1].err == nil || !strings.Contains(f[1].err.Error(), "checksum") {
		t.Errorf("%+v", f)
	}
}

// changes: an archive that is replaced is the next state of the same tree.
func (o *opener) changes(t *testing.T) {
	s := o.mustOpen(t, packed(regular("d/f", "first"), regular("old", "")))
	id, err := s.Identity(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	before := walk(t, s)
	put(t, o.path, packed(regular("d/f", "FIRST"), regular("new", "")))
	b, err := s.Beacon(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	after := walk(t, s)
	if now, err := s.Identity(t.Context()); err != nil || now != id {
		t.Errorf("the tree is %v and was %v: %v", now, id, err)
	}
	if before["d"].ID != after["d"].ID || after["d/f"].Ctime.Compare(before["d/f"].Ctime) <= 0 || after["d/f"].Ctime.Compare(b.Now) > 0 {
		t.Errorf("was %+v and is %+v at %v", before["d/f"], after["d/f"], b.Now)
	}
	if _, there := after["old"]; there || after["new"].Type == 0 {
		t.Errorf("%v", after)
	}
	if f := read(t, s, "d/f")[0]; f.data != "FIRST" {
		t.Errorf("%+v", f)
	}
	// Replaced while it is read.
	big := strings.Repeat("0123456789abcdef", 1<<20)
	put(t, o.path, packed(regular("big", big)))
	once := false
	r := &taker{files: make([]got, 1), onData: func() {
		if !once {
			once = true
			put(t, o.path, packed(regular("big", big)))
		}
	}}
	if err := s.Read(t.Context(), []sdk.Path{"big"}, r); err != nil || r.files[0].err == nil || r.files[0].err.Kind != sdk.KindChanged {
		t.Errorf("a file whose archive was replaced: %v, %v", err, r.files[0].err)
	}
	if f := read(t, s, "big")[0]; f.data != big || f.err != nil {
		t.Errorf("afterwards: %d bytes, %v", len(f.data), f.err)
	}
}

// busybox reads what another program makes.
func (o *opener) busybox(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "file"), []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(filepath.Join(dir, "file"), filepath.Join(dir, "same")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("file", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("busybox", "cpio", "-o", "-H", "newc")
	cmd.Dir, cmd.Stdin = dir, strings.NewReader(".\nfile\nsame\nlink\n")
	archive, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	s := o.mustOpen(t, archive)
	all := walk(t, s)
	if all["file"].ID != all["same"].ID || all["file"].Perm != 0o600 || all["link"].Target != "file" || len(all) != 4 {
		t.Errorf("%+v", all)
	}
	if f := read(t, s, "file", "same"); f[0].data != "text" || f[1].data != "text" {
		t.Errorf("%+v", f)
	}
}

func (o *opener) check(t *testing.T) {
	dir := filepath.Dir(o.path)
	put(t, o.path, packed(regular("a", "")))
	put(t, dir+"/text", []byte(strings.Repeat("no archive ", 20)))
	put(t, dir+"/packed", []byte("\x1f\x8b"+strings.Repeat(" ", 200)))
	for path, want := range map[string]string{
		o.path: "", dir + "/none": "does not exist", dir: "not a regular file", dir + "/text": "no cpio archive", dir + "/packed": "compressed (gzip)",
		"/elsewhere/x": "no granted directory", "a.cpio": "not absolute",
	} {
		got := o.driver.Check(t.Context(), request(path))
		if want == "" && len(got) == 0 {
			continue
		}
		if len(got) != 1 || !strings.Contains(got[0].Summary, want) || want == "" || got[0].Detail == "" {
			t.Errorf("%s: %+v, want %q", path, got, want)
		}
	}
	req := request(o.path)
	req.Config["max_entries"] = int64(0)
	if got := o.driver.Check(t.Context(), req); len(got) != 1 || got[0].Attribute != "max_entries" {
		t.Errorf("%+v", got)
	}
}
