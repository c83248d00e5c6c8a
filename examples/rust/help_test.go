package rust_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/gsyncd/gsyncd-host/examples/internal/build"
	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/drivertest"
	"github.com/gsyncd/gsyncd-host/sdk/grant"
	"github.com/gsyncd/gsyncd-host/sdk/schema"
)

// programs are what the tests of this package run.
var programs = &build.Programs{}

func TestMain(m *testing.M) { os.Exit(build.Main(m, programs, func() {})) }

// module builds the driver.
func module(t drivertest.T) string {
	t.Helper()
	if _, err := os.Stat("/usr/lib/rustlib/wasm32-unknown-unknown"); err != nil && os.Getenv("RUSTC") == "" {
		t.Skip("SKIPPED, NOT TESTED: rustc cannot build for wasm32-unknown-unknown here; task deps installs what it takes")
	}
	return programs.Command(t, "cpio.driver.wasm", func(out string) *exec.Cmd { return exec.Command("./build.sh", out) })
}

// guest is the driver in its runner.
func guest(t drivertest.T, dir string) (sdk.Driver, func()) {
	return programs.LaunchGuest(t, module(t), grant.Config{Dirs: []grant.DirConfig{{Path: dir}}})
}

// member is one of an archive.
type member struct {
	name                string
	mode, uid, gid, ino uint32
	links, mtime        uint32
	major, minor        uint32
	data                string
	sum                 *uint32 // with which the format has checksums
}

func regular(name, data string) member {
	return member{name: name, mode: unix.S_IFREG | 0o640, uid: 7, gid: 8, links: 1, mtime: 1234567890, data: data}
}

func with(m member, change func(*member)) member { change(&m); return m }

// packed makes an archive.
func packed(members ...member) []byte {
	var b bytes.Buffer
	pad := func() {
		for b.Len()%4 != 0 {
			b.WriteByte(0)
		}
	}
	for _, m := range append(members, member{name: "TRAILER!!!", links: 1}) {
		magic, sum := "070701", uint32(0)
		if m.sum != nil {
			magic, sum = "070702", *m.sum
		}
		fmt.Fprintf(&b, "%s%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%s\x00", magic, m.ino, m.mode, m.uid, m.gid, m.links, m.mtime,
			len(m.data), 8, 1, m.major, m.minor, len(m.name)+1, sum, m.name)
		pad()
		b.WriteString(m.data)
		pad()
	}
	return b.Bytes()
}

// tree makes an archive of a directory.
func tree(t drivertest.T, dir string) []byte {
	t.Helper()
	var members []member
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		var st unix.Stat_t
		if err := unix.Lstat(path, &st); err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		m := member{name: rel, mode: st.Mode, uid: st.Uid, gid: st.Gid, ino: uint32(len(members)), links: 1, mtime: uint32(st.Mtim.Sec)}
		switch {
		case d.Type() == fs.ModeSymlink:
			m.data, err = os.Readlink(path)
		case d.Type().IsRegular():
			var data []byte
			data, err = os.ReadFile(path)
			m.data = string(data)
		}
		members = append(members, m)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return packed(members...)
}

// put writes a file in one step.
func put(t drivertest.T, path string, data []byte) {
	t.Helper()
	if err := errors.Join(os.WriteFile(path+".new", data, 0o644), os.Rename(path+".new", path)); err != nil {
		t.Fatal(err)
	}
}

func request(path string) sdk.OpenRequest {
	return sdk.OpenRequest{
		Address: sdk.Address{Scheme: "cpio", Rest: path}, Role: sdk.Primary,
		Config: schema.Values{"max_entries": int64(1000)},
	}
}

// walk lists a whole tree, by path.
func walk(t testing.TB, s sdk.Source) map[sdk.Path]sdk.Entry {
	t.Helper()
	l := listing{all: map[sdk.Path]sdk.Entry{}, todo: []sdk.Path{sdk.Root}}
	for len(l.todo) > 0 {
		l.dirs, l.todo = l.todo, nil
		if err := s.Scan(t.Context(), sdk.ScanRequest{Dirs: l.dirs, Fields: sdk.FieldTarget}, &l); err != nil {
			t.Fatal(err)
		}
	}
	return l.all
}

type listing struct {
	all        map[sdk.Path]sdk.Entry
	dirs, todo []sdk.Path
	open       sdk.Path
}

func (l *listing) BeginDir(i int, e *sdk.Entry) error {
	l.open = l.dirs[i]
	l.all[l.open] = *e
	return nil
}

func (l *listing) Entry(e *sdk.Entry) error {
	p := l.open.Join(e.Name)
	l.all[p] = *e
	if e.Type == sdk.TypeDir {
		l.todo = append(l.todo, p)
	}
	return nil
}

func (l *listing) EndDir(_ int, err *sdk.Error) error {
	if err != nil {
		return err
	}
	return nil
}

// got is a file as it was read.
type got struct {
	data string
	err  *sdk.Error
}

func read(t testing.TB, s sdk.Source, paths ...sdk.Path) []got {
	t.Helper()
	r := &taker{files: make([]got, len(paths))}
	if err := s.Read(t.Context(), paths, r); err != nil {
		t.Fatal(err)
	}
	return r.files
}

type taker struct {
	files  []got
	data   strings.Builder
	onData func()
}

func (r *taker) BeginFile(int, *sdk.Entry) error { r.data.Reset(); return nil }
func (r *taker) Data(_ int64, p []byte) error {
	r.data.Write(p)
	if r.onData != nil {
		r.onData()
	}
	return nil
}
func (r *taker) EndFile(i int, _ *sdk.Entry, err *sdk.Error) error {
	r.files[i] = got{r.data.String(), err}
	return nil
}
