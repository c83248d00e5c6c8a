package localfs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/gsyncd/gsyncd-host/sdk"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// kernels runs a test as on this kernel and as on one without the newer calls.
func kernels(t *testing.T, test func(t *testing.T, r *Root, dir string)) {
	for _, old := range []bool{false, true} {
		t.Run(fmt.Sprintf("old=%v", old), func(t *testing.T) {
			dir := t.TempDir()
			r, err := OpenWritable(dir)
			must(t, err)
			t.Cleanup(func() { r.Close() })
			if old {
				r.openat2, r.xattrat = false, false
			}
			test(t, r, dir)
		})
	}
}

func TestOpen(t *testing.T) {
	kernels(t, func(t *testing.T, r *Root, dir string) {
		must(t, os.MkdirAll(filepath.Join(dir, "a/b"), 0o755))
		must(t, os.WriteFile(filepath.Join(dir, "a/b/f"), []byte("f"), 0o644))
		must(t, os.Symlink("a", filepath.Join(dir, "link")))
		must(t, os.Symlink("f", filepath.Join(dir, "a/b/flink")))
		must(t, syscall.Mkfifo(filepath.Join(dir, "fifo"), 0o644))
		for p, want := range map[sdk.Path]error{
			".": nil, "a": nil, "a/b": nil,
			"a/none": &sdk.Error{Kind: sdk.KindNotExist}, "none/x": &sdk.Error{Kind: sdk.KindNotExist},
			"a/b/f": &sdk.Error{Kind: sdk.KindChanged}, "link": &sdk.Error{Kind: sdk.KindChanged},
			"../x": &sdk.Error{Kind: sdk.KindInput}, "/etc": &sdk.Error{Kind: sdk.KindInput}, "": &sdk.Error{Kind: sdk.KindInput},
		} {
			d, err := r.OpenDir(p)
			if err == nil {
				if d.Path() != p {
					t.Errorf("%q: path %q", p, d.Path())
				}
				must(t, d.Close())
				must(t, d.Close())
			}
			if (err == nil) != (want == nil) || (err != nil && sdk.KindOf(err) != sdk.KindOf(want)) {
				t.Errorf("open %q: %v, want %v", p, err, want)
			}
		}
		if _, err := r.OpenDir("link/b"); err == nil {
			t.Error("a link in the middle was followed")
		}
		f, err := r.OpenFile("a/b/f")
		must(t, err)
		must(t, f.Close())
		for _, p := range []sdk.Path{"fifo", "a/b/flink", "a"} {
			if _, err := r.OpenFile(p); sdk.KindOf(err) != sdk.KindChanged {
				t.Errorf("open %q: %v", p, err)
			}
		}
		d, err := r.OpenDir("a/b")
		must(t, err)
		defer d.Close()
		for _, name := range []string{"", ".", "..", "../b/f", "a/b", "x\x00", strings.Repeat("n", 256)} {
			if _, err := d.Lstat(name); sdk.KindOf(err) != sdk.KindInput {
				t.Errorf("name %q: %v", name, err)
			}
		}
	})
}

func TestRootByLink(t *testing.T) {
	dir := t.TempDir()
	must(t, os.Mkdir(filepath.Join(dir, "real"), 0o755))
	must(t, os.Symlink("real", filepath.Join(dir, "link")))
	r, err := Open(filepath.Join(dir, "link"))
	must(t, err)
	defer r.Close()
	must(t, r.Verify())
	must(t, os.Remove(filepath.Join(dir, "link")))
	if err := r.Verify(); sdk.KindOf(err) != sdk.KindNotExist {
		t.Errorf("link gone: %v", err)
	}
	must(t, os.Symlink(".", filepath.Join(dir, "link")))
	if err := r.Verify(); sdk.KindOf(err) != sdk.KindChanged {
		t.Errorf("link elsewhere: %v", err)
	}
	fs, err := r.Filesystem()
	must(t, err)
	if fs.Type == "" || fs.ID == "" {
		t.Errorf("%+v", fs)
	}
}

func TestDeepPath(t *testing.T) {
	kernels(t, func(t *testing.T, r *Root, _ string) {
		name := strings.Repeat("d", 255)
		p := sdk.Path(".")
		for len(p) < 12_000 {
			d, err := r.OpenPath(p)
			must(t, err)
			must(t, d.Mkdir(name, 0o755))
			must(t, d.Close())
			p = p.Join(name)
		}
		d, err := r.OpenDir(p)
		must(t, err)
		f, err := d.Create("f")
		must(t, err)
		f.Close()
		d.Close()
		f, err = r.OpenFile(p.Join("f"))
		must(t, err)
		f.Close()
		must(t, r.RemoveTree(context.Background(), sdk.Path(name)))
	})
}

func TestNames(t *testing.T) {
	dir := t.TempDir()
	var want []string
	for i := range 5000 {
		want = append(want, fmt.Sprintf("%x-%s", i*7919%5000, strings.Repeat("n", i%200)))
	}
	want = append(want, "\xff", "\x01", "abcdefgh", "abcdefghi", "abcdefg")
	for _, n := range want {
		must(t, os.WriteFile(filepath.Join(dir, n), nil, 0o644))
	}
	slices.Sort(want)
	r, err := Open(dir)
	must(t, err)
	defer r.Close()
	d, err := r.OpenDir(sdk.Root)
	must(t, err)
	defer d.Close()
	for range 2 {
		n, err := d.ReadNames()
		must(t, err)
		var got []string
		for i := range n.Len() {
			got = append(got, n.At(i))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatal(diff)
		}
		var e sdk.Entry
		for i := range n.Len() {
			if _, err := d.LstatAt(n, i, &e); err != nil || e.Name != want[i] || e.Type != sdk.TypeRegular {
				t.Fatalf("%q: %+v, %v", want[i], e, err)
			}
		}
	}
}

func TestXattrs(t *testing.T) {
	kernels(t, func(t *testing.T, r *Root, dir string) {
		at := filepath.Join(dir, "f")
		must(t, os.WriteFile(at, nil, 0o644))
		must(t, os.Symlink("f", filepath.Join(dir, "link")))
		if err := unix.Setxattr(at, "user.probe", []byte("1"), 0); errors.Is(err, unix.EOPNOTSUPP) {
			t.Skip("SKIPPED, NOT TESTED: the directory for temporary files has no user attributes")
		}
		long := bytes.Repeat([]byte("v"), 550) // more than the first try has room for
		must(t, unix.Setxattr(at, "user.long", long, 0))
		must(t, unix.Setxattr(at, "user."+sdk.ReservedXattr+"key", []byte("mark"), 0))
		want := []sdk.Xattr{{Name: "user.long", Value: long}, {Name: "user.probe", Value: []byte("1")}}
		if r.privileged {
			must(t, unix.Lsetxattr(filepath.Join(dir, "link"), "trusted.l", []byte("l"), 0))
			must(t, unix.Setxattr(at, "trusted."+sdk.ReservedXattr+"key", []byte("mark"), 0))
		}
		d, err := r.OpenPath(sdk.Root)
		must(t, err)
		defer d.Close()
		got, err := d.Xattrs("f")
		must(t, err)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		f, err := r.OpenFile("f")
		must(t, err)
		defer f.Close()
		got, err = r.FileXattrs(f)
		must(t, err)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		got, err = d.Xattrs("link")
		must(t, err)
		if r.privileged != (len(got) == 1 && got[0].Name == "trusted.l") {
			t.Errorf("link: %v", got)
		}
		if v, err := d.Xattr("f", "user.long"); err != nil || !bytes.Equal(v, long) {
			t.Errorf("%d bytes, %v", len(v), err)
		}
		if v, err := d.Xattr("f", "user.none"); err != nil || v != nil {
			t.Errorf("%q, %v", v, err)
		}
		if r.privileged {
			m := sdk.Meta{Mask: sdk.MetaXattrs | sdk.MetaMtime, Mtime: sdk.Time{Sec: 5}, Xattrs: []sdk.Xattr{{Name: "security.x", Value: []byte("x")}}}
			lost, err := d.SetMeta("link", &m)
			got, _ = d.Xattrs("link")
			if e, _ := d.Lstat("link"); err != nil || lost != 0 || !cmp.Equal(got, m.Xattrs) || e.Mtime != m.Mtime {
				t.Errorf("link: %v, %v, lost %b", got, err, lost)
			}
			if got, _ = d.Xattrs("f"); len(got) != 2 {
				t.Errorf("the link's target changed: %v", got)
			}
		}
	})
}

// TestSetMetaFresh holds the order: nothing set later undoes what came before.
func TestSetMetaFresh(t *testing.T) {
	dir := t.TempDir()
	r, err := OpenWritable(dir)
	must(t, err)
	defer r.Close()
	d, err := r.OpenPath(sdk.Root)
	must(t, err)
	defer d.Close()
	f, err := d.Create("f")
	must(t, err)
	defer f.Close()
	_, err = f.WriteString("data")
	must(t, err)
	m := sdk.Meta{Mask: sdk.MetaAll, Perm: 0o6755, UID: 1234, GID: 4321, Mtime: sdk.Time{Sec: 1 << 33, Nsec: 5}}
	lost, err := r.SetMeta(f, &m)
	must(t, err)
	e, err := r.StatFile(f)
	must(t, err)
	if r.privileged {
		cut := e.Mtime != m.Mtime // as on a filesystem that ends in 2038
		if (lost == sdk.LostMtime) != cut || lost&^sdk.LostMtime != 0 || e.Perm != m.Perm || e.UID != 1234 || e.GID != 4321 {
			t.Errorf("lost %b: %+v", lost, e)
		}
		return
	}
	if lost&^sdk.LostMtime != sdk.LostOwner|sdk.LostPerm || e.Perm != 0o755 {
		t.Errorf("lost %b, mode %o", lost, e.Perm)
	}
}

// TestCreateAs: a file that has not got its own group yet lets nobody in that it will
// keep out.
func TestCreateAs(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0))
	dir := t.TempDir()
	r, err := OpenWritable(dir)
	must(t, err)
	defer r.Close()
	d, err := r.OpenDir(sdk.Root)
	must(t, err)
	defer d.Close()
	for perm, want := range map[sdk.Perm]fs.FileMode{0o644: 0o644, 0o755: 0o755, 0o640: 0o600, 0o604: 0o600, 0o664: 0o644, 0o4751: 0o711, 0o400: 0o400} {
		name := fmt.Sprintf("%o", perm)
		f, err := d.CreateAs(name, perm)
		must(t, err)
		if st, err := f.Stat(); err != nil || st.Mode() != want {
			t.Errorf("%s is made with %v, %v", name, st.Mode(), err)
		}
		must(t, f.Close())
	}
}

func TestUnnamed(t *testing.T) {
	dir := t.TempDir()
	r, err := Open(dir)
	must(t, err)
	defer r.Close()
	d, err := r.OpenPath(sdk.Root)
	must(t, err)
	defer d.Close()
	before, err := d.Stat()
	must(t, err)
	f, err := d.CreateUnnamed()
	if sdk.KindOf(err) == sdk.KindUnsupported {
		t.Skip("SKIPPED, NOT TESTED: the filesystem makes no files without a name")
	}
	must(t, err)
	must(t, f.Close())
	after, err := d.Stat()
	must(t, err)
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("the directory was changed:\n%s", diff)
	}
}

// TestReadOnlyRoot sees that a root opened to be read gives itself no rights.
func TestReadOnlyRoot(t *testing.T) {
	dir := t.TempDir()
	must(t, os.MkdirAll(filepath.Join(dir, "d/x"), 0o755))
	must(t, os.Chmod(filepath.Join(dir, "d"), 0))
	t.Cleanup(func() { must(t, os.Chmod(filepath.Join(dir, "d"), 0o755)) })
	withoutCapabilities(t)
	r, err := Open(dir)
	must(t, err)
	defer r.Close()
	for _, p := range []sdk.Path{"d", "d/x"} {
		if _, err := r.OpenDir(p); sdk.KindOf(err) != sdk.KindPermission {
			t.Errorf("%s: %v", p, err)
		}
	}
}

// withoutCapabilities takes from the test's goroutine what root may beyond others. Its
// thread ends with it.
func withoutCapabilities(t *testing.T) {
	t.Helper()
	runtime.LockOSThread()
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	none := [2]unix.CapUserData{}
	must(t, unix.Capset(&header, &none[0]))
}

func TestMountBoundary(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "t/m"), 0o755); err != nil {
		t.Fatal(err)
	}
	at := filepath.Join(dir, "t/m")
	if err := unix.Mount("none", at, "tmpfs", 0, "size=1m"); err != nil {
		t.Skipf("SKIPPED, NOT TESTED: cannot mount: %v", err)
	}
	defer unix.Unmount(at, unix.MNT_DETACH)
	must(t, os.WriteFile(filepath.Join(at, "precious"), nil, 0o644))
	r, err := OpenWritable(dir)
	must(t, err)
	defer r.Close()
	if err := r.RemoveTree(context.Background(), "t"); sdk.KindOf(err) != sdk.KindBusy {
		t.Errorf("remove: %v", err)
	}
	if _, err := os.Stat(filepath.Join(at, "precious")); err != nil {
		t.Error("the mount was entered")
	}
	d, err := r.OpenPath("t")
	must(t, err)
	defer d.Close()
	e, place, err := d.LstatPlace("m")
	must(t, err)
	if place == d.Place() || e.Type != sdk.TypeDir {
		t.Errorf("%+v lies at %+v, its parent too", e, place)
	}
}

func BenchmarkLstatAt(b *testing.B) {
	dir := b.TempDir()
	for i := range 1000 {
		must(b, os.WriteFile(filepath.Join(dir, fmt.Sprint(i)), nil, 0o644))
	}
	r, err := Open(dir)
	must(b, err)
	defer r.Close()
	d, err := r.OpenDir(sdk.Root)
	must(b, err)
	defer d.Close()
	n, err := d.ReadNames()
	must(b, err)
	var e sdk.Entry
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, err := d.LstatAt(n, i%1000, &e); err != nil {
			b.Fatal(err)
		}
	}
}
