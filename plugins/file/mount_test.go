package file_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/gsyncd/gsyncd-host/plugins/file"
	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/schema"
)

// mount puts a small filesystem at dir/m, or skips the test where that is not
// allowed.
func mount(t *testing.T, dir string) string {
	t.Helper()
	at := filepath.Join(dir, "m")
	mkdir(t, at)
	if err := unix.Mount("none", at, "tmpfs", 0, "size=1m"); err != nil {
		t.Skipf("SKIPPED, NOT TESTED: cannot mount: %v", err)
	}
	t.Cleanup(func() { unix.Unmount(at, unix.MNT_DETACH) })
	must(t, os.WriteFile(filepath.Join(at, "f"), []byte("f"), 0o644))
	return at
}

func open(t *testing.T, dir string, cross bool) sdk.Target {
	t.Helper()
	d := file.New(nil)
	values, err := d.Describe().Schema.WithDefaults(schema.Values{"cross_mounts": cross})
	must(t, err)
	g, err := d.OpenTarget(t.Context(), sdk.OpenRequest{
		Address: sdk.Address{Scheme: "file", Rest: dir}, Role: sdk.Secondary, Config: values, MarkKey: "k"})
	must(t, err)
	t.Cleanup(func() { g.Close() })
	return g
}

type rows struct {
	self    sdk.Entry
	entries []sdk.Entry
	err     *sdk.Error
}

func (r *rows) BeginDir(_ int, e *sdk.Entry) error { r.self = *e; return nil }
func (r *rows) Entry(e *sdk.Entry) error           { r.entries = append(r.entries, *e); return nil }
func (r *rows) EndDir(_ int, err *sdk.Error) error { r.err = err; return nil }

func list(t *testing.T, r sdk.Resource, p sdk.Path) rows {
	t.Helper()
	var out rows
	must(t, r.Scan(t.Context(), sdk.ScanRequest{Dirs: []sdk.Path{p}}, &out))
	return out
}

func TestMounts(t *testing.T) {
	dir := t.TempDir()
	mount(t, dir)
	g := open(t, dir, false)
	if l := list(t, g, "."); len(l.entries) != 1 || !l.entries[0].Mount || l.self.Mount {
		t.Errorf("root: %+v", l)
	}
	if l := list(t, g, "m"); l.err != nil || !l.self.Mount || len(l.entries) != 0 {
		t.Errorf("mount: %+v", l)
	}
	if out, err := g.Stat(t.Context(), []sdk.Path{"m"}, 0); err != nil || !out[0].Mount {
		t.Errorf("stat: %+v, %v", out, err)
	}
	ops := []sdk.Op{{Kind: sdk.OpMkdir, Path: "m/d"}}
	out, err := g.Apply(t.Context(), ops)
	must(t, err)
	if out[0].Err == nil || out[0].Err.Kind != sdk.KindUnsupported {
		t.Errorf("apply: %v", out[0].Err)
	}
	must(t, g.Close())

	g = open(t, dir, true)
	if l := list(t, g, "."); len(l.entries) != 1 || l.entries[0].Mount {
		t.Errorf("root: %+v", l)
	}
	if l := list(t, g, "m"); l.err != nil || l.self.Mount || len(l.entries) != 1 {
		t.Errorf("mount: %+v", l)
	}
	out, err = g.Apply(t.Context(), ops)
	must(t, err)
	if out[0].Err != nil {
		t.Errorf("apply: %v", out[0].Err)
	}
	must(t, g.Sync(t.Context()))
}

func TestFullDisk(t *testing.T) {
	at := mount(t, t.TempDir())
	g := open(t, at, false)
	w, err := g.Write(t.Context())
	must(t, err)
	for _, name := range []sdk.Path{"large", "small"} {
		size := int64(5)
		if name == "large" {
			size = 4 << 20
		}
		must(t, w.Begin(sdk.NewFile{Path: name, Size: size}))
		for off := int64(0); off < size; off += 1 << 18 {
			must(t, w.Data(off, bytes.Repeat([]byte{1}, int(min(size-off, 1<<18)))))
		}
		must(t, w.End(true))
	}
	res, err := w.Close()
	must(t, err)
	if res[0].Err == nil || res[0].Err.Kind != sdk.KindNoSpace || res[1].Err != nil {
		t.Errorf("%v, %v", res[0].Err, res[1].Err)
	}
	if _, err := os.Lstat(filepath.Join(at, "large")); !os.IsNotExist(err) {
		t.Error("half a file was left behind")
	}
}

func TestReadOnlySource(t *testing.T) {
	at := mount(t, t.TempDir())
	must(t, unix.Mount("none", at, "tmpfs", unix.MS_REMOUNT|unix.MS_RDONLY, ""))
	d := file.New(nil)
	src, err := d.OpenSource(t.Context(), sdk.OpenRequest{Address: sdk.Address{Scheme: "file", Rest: at}, Role: sdk.Primary})
	must(t, err)
	defer src.Close()
	b, err := src.Beacon(t.Context())
	must(t, err)
	if b.Window < 2e9 || b.Now.IsZero() {
		t.Errorf("%+v", b)
	}
	for _, c := range d.Check(t.Context(), sdk.OpenRequest{Address: sdk.Address{Scheme: "file", Rest: at}, Role: sdk.Secondary}) {
		if !c.Warning {
			return
		}
	}
	t.Error("no complaint about a secondary that cannot be written")
}
