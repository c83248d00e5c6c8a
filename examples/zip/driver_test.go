package main

import (
	"archive/zip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gsyncd/gsyncd-host/examples/internal/build"
	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/drivertest"
	"github.com/gsyncd/gsyncd-host/sdk/grant"
)

// programs are what the tests of this package run.
var programs = &build.Programs{}

// TestMain is also the plugin's main function.
func TestMain(m *testing.M) { os.Exit(build.Main(m, programs, main)) }

// TestDriver runs the conformance suite on archives as other programs make them:
// on the driver in this process, as a process of its own, and as a guest.
func TestDriver(t *testing.T) {
	base := t.TempDir()
	grants := grant.Config{Dirs: []grant.DirConfig{{Path: base}}}
	here := func() sdk.Driver { return &driver{log: quiet, granted: grant.New(grants)} }
	process := func(t drivertest.T) (sdk.Driver, func()) { return build.Launch(t, grants) }
	guest := func(t drivertest.T) (sdk.Driver, func()) {
		return programs.LaunchGuest(t, programs.Guest(t, "zip"), grants)
	}
	whole, fine := drivertest.Lacks{Mtime: time.Second}, drivertest.Lacks{}
	for _, c := range []struct {
		name   string
		pack   func(t drivertest.T, dir, archive string)
		lacks  drivertest.Lacks
		launch func(t drivertest.T) (sdk.Driver, func())
		only   []string
	}{
		{"zip", zipTree, whole, nil, nil},
		{"tar", func(t drivertest.T, dir, archive string) { tarTree(t, dir, archive) }, fine, process, nil},
		{"gz", func(t drivertest.T, dir, archive string) { tarTree(t, dir, archive, "-z") }, fine, nil, nil},
		{"zip guest", zipTree, whole, guest, nil},
		{"gz guest", func(t drivertest.T, dir, archive string) { tarTree(t, dir, archive, "-z") }, fine, guest, []string{"Contents", "DataAgrees"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := drivertest.Config{New: here, Lacks: c.lacks, Scale: 10, Only: c.only, Build: func(t drivertest.T, dir string) sdk.Address {
				archive := filepath.Join(base, c.name)
				c.pack(t, dir, archive)
				return sdk.Address{Scheme: "zip", Rest: archive}
			}}
			if c.launch != nil {
				cfg.New, cfg.LaunchToKill = nil, c.launch
				cfg.Launch = func(t drivertest.T) sdk.Driver { d, _ := c.launch(t); return d }
			}
			drivertest.Run(t, cfg)
		})
	}
}

// tarTree packs a directory with GNU tar.
func tarTree(t drivertest.T, dir, archive string, args ...string) {
	t.Helper()
	args = append(args, "-C", dir, "-c", "-S", "-H", "pax", "--xattrs", "-f", archive, ".")
	if out, err := exec.Command("tar", args...).CombinedOutput(); err != nil {
		t.Fatalf("tar: %v\n%s", err, out)
	}
}

// zipTree packs a directory with modes and symlinks.
func zipTree(t drivertest.T, dir, archive string) {
	t.Helper()
	f, err := os.Create(archive)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w := zip.NewWriter(f)
	err = filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		h, err := zip.FileInfoHeader(info)
		if err != nil {
			return err
		}
		h.Name, h.Method = strings.TrimPrefix(path, dir+"/"), zip.Deflate
		var data []byte
		switch {
		case path == dir:
			h.Name = "./"
		case d.IsDir():
			h.Name += "/"
		case d.Type() == os.ModeSymlink:
			target, err := os.Readlink(path)
			if err != nil {
				return err
			}
			data = []byte(target)
		case d.Type().IsRegular():
			if data, err = os.ReadFile(path); err != nil {
				return err
			}
		}
		out, err := w.CreateHeader(h)
		if err != nil {
			return err
		}
		_, err = out.Write(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestCheck(t *testing.T) {
	dir := t.TempDir()
	put(t, filepath.Join(dir, "text"), []byte("no archive"))
	put(t, filepath.Join(dir, "good.zip"), zipped(t, file("a", "b")))
	put(t, filepath.Join(dir, "good.tar"), tarred(t, regular("a", "b")))
	put(t, filepath.Join(dir, "program"), append([]byte(strings.Repeat("program", 1000)), zipped(t, file("a", "b"))...))
	if err := os.Symlink("good.zip", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"good.zip": "", "good.tar": "", "program": "", "none": "does not exist", ".": "not a regular file", "link": "not a regular file",
		"text": "neither a zip nor a tar", "../x": "no granted directory",
	} {
		got := granted(dir).Check(t.Context(), request(t, dir+"/"+path))
		if want == "" {
			if len(got) > 0 {
				t.Errorf("%s: %+v", path, got)
			}
			continue
		}
		if len(got) != 1 || !strings.Contains(got[0].Summary, want) || got[0].Detail == "" || got[0].Attribute != "" {
			t.Errorf("%s: %+v, want %q", path, got, want)
		}
	}
	got := granted(dir).Check(t.Context(), request(t, dir+"/good.zip", "max_entries=0", "max_bytes=0B"))
	if len(got) != 2 || got[0].Attribute != attrEntries || got[1].Attribute != attrBytes {
		t.Errorf("%+v", got)
	}
	if got := granted(dir).Check(t.Context(), request(t, "good.zip")); len(got) != 1 || !strings.Contains(got[0].Summary, "not absolute") {
		t.Errorf("%+v", got)
	}
}
