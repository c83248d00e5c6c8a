package grant

import (
	"encoding/pem"
	"io"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// tree makes a directory with a file, a directory, and links that lead out.
func tree(t testing.TB) string {
	t.Helper()
	base := t.TempDir()
	dir := filepath.Join(base, "granted")
	for _, err := range []error{
		os.MkdirAll(filepath.Join(dir, "sub"), 0o755),
		os.WriteFile(filepath.Join(base, "secret"), []byte("secret"), 0o644),
		os.WriteFile(filepath.Join(dir, "a"), []byte("hello, world"), 0o640),
		os.WriteFile(filepath.Join(dir, "sub", "b"), []byte("deep"), 0o600),
		os.Symlink("../secret", filepath.Join(dir, "out")),
		os.Symlink("..", filepath.Join(dir, "up")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// exercise is what any backend must do with such a tree.
func exercise(t *testing.T, s *Set, dir string) {
	t.Helper()
	d, p, err := s.Find(filepath.Join(dir, "sub"))
	if err != nil || p != "sub" || d.Path() != dir || d.Writable() {
		t.Fatal(d, p, err)
	}
	list, err := d.List(t.Context(), sdk.Root)
	var got []string
	for _, e := range list {
		got = append(got, e.Name+" "+e.Type.String()+" "+e.Target)
	}
	if diff := cmp.Diff([]string{"a file ", "out symlink ../secret", "sub directory ", "up symlink .."}, got); diff != "" || err != nil {
		t.Error(diff, err)
	}
	e, err := d.Stat(t.Context(), "sub/b")
	if err != nil || e.Name != "b" || e.Size != 4 || e.Perm != 0o600 {
		t.Errorf("%+v, %v", e, err)
	}
	f, err := d.Open(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 5)
	n, err := f.ReadAt(buf, 7)
	if n != 5 || string(buf) != "world" || err != nil && err != io.EOF || f.Size() != 12 || f.Entry().Name != "a" {
		t.Errorf("%d %q %v", n, buf, err)
	}
	if n, err := f.ReadAt(buf, 10); n != 2 || err != io.EOF {
		t.Errorf("%d at the end, %v", n, err)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	for path, kind := range map[sdk.Path]sdk.Kind{"out": sdk.KindChanged, "up/secret": sdk.KindNotExist, "../secret": sdk.KindInput, "/etc/passwd": sdk.KindInput, "none": sdk.KindNotExist, "sub": sdk.KindChanged} {
		if _, err := d.Open(t.Context(), path); err == nil || sdk.KindOf(err) != kind && sdk.KindOf(err) != sdk.KindChanged {
			t.Errorf("open %q: %v, want %s", path, err, kind)
		}
	}
	if _, err := d.Source(t.Context(), "up", TreeOptions{}); err == nil {
		t.Error("a source above the granted directory")
	}
	if _, err := d.Target(t.Context(), "sub", TreeOptions{MarkKey: "k"}); sdk.KindOf(err) != sdk.KindPermission {
		t.Errorf("a target where nothing may be written: %v", err)
	}
	if _, _, err := s.Find(dir + "2"); sdk.KindOf(err) != sdk.KindPermission || !strings.Contains(err.Error(), "no granted directory") {
		t.Error(err)
	}
	if _, _, err := s.Find(dir + "/../secret"); sdk.KindOf(err) != sdk.KindPermission {
		t.Error(err)
	}
}

func TestLocalDirs(t *testing.T) {
	dir := tree(t)
	s := New(Config{Dirs: []DirConfig{{Path: dir}}})
	defer s.Close()
	exercise(t, s, dir)
}

// A tree is the one that was found beneath the grant, and what is put in its place
// is seen.
func TestLocalTreeReplaced(t *testing.T) {
	dir := tree(t)
	s := New(Config{Dirs: []DirConfig{{Path: dir, Write: true}}})
	defer s.Close()
	d, _, err := s.Find(dir)
	if err != nil {
		t.Fatal(err)
	}
	src, err := d.Source(t.Context(), "sub", TreeOptions{Jobs: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	if src.Info().Endpoint.Path != "" {
		t.Errorf("endpoint %+v", src.Info().Endpoint)
	}
	if _, err := src.Identity(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(dir, "sub"), filepath.Join(dir, "was")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("..", filepath.Join(dir, "sub")); err != nil {
		t.Fatal(err)
	}
	if _, err := src.Identity(t.Context()); err == nil {
		t.Error("a link in its place, and no word of it")
	}
	if _, err := d.Target(t.Context(), "sub", TreeOptions{MarkKey: "k"}); err == nil {
		t.Error("a target through a link")
	}
	tgt, err := d.Target(t.Context(), "new", TreeOptions{MarkKey: "k"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Target(t.Context(), "new", TreeOptions{MarkKey: "k"}); sdk.KindOf(err) != sdk.KindBusy {
		t.Errorf("a second one: %v", err)
	}
	if err := tgt.Close(); err != nil {
		t.Error(err)
	}
}

func TestGivenNothing(t *testing.T) {
	if dirs, err := Given().Dirs(); len(dirs) != 0 || err != nil {
		t.Error(dirs, err)
	}
	if _, err := New(Config{Dirs: []DirConfig{{Path: "x"}}}).Dirs(); err == nil || !strings.Contains(err.Error(), "absolute") {
		t.Error(err)
	}
}

func testTime() time.Time { return time.Unix(1_700_000_000, 0) }

func TestConfigValidate(t *testing.T) {
	for want, c := range map[string]Config{
		"without":       {Dirs: []DirConfig{{Path: "/a/../b"}}},
		"twice":         {Dirs: []DirConfig{{Path: "/a"}, {Path: "/a"}}},
		"in front":      {HTTP: []OriginConfig{{URL: "ftp://x"}}},
		"no host":       {HTTP: []OriginConfig{{URL: "https:///x"}}},
		"alone":         {HTTP: []OriginConfig{{URL: "https://u:p@x"}}},
		"must end":      {HTTP: []OriginConfig{{URL: "https://x/a"}}},
		"encoded slash": {HTTP: []OriginConfig{{URL: "https://x/a%2Fb/"}}},
		"not absolute":  {HTTP: []OriginConfig{{URL: "https://x", CAFile: "a"}}},
		"more than one": {HTTP: []OriginConfig{{URL: "https://x", Headers: []Header{{Name: "A", Env: "a", File: "/b"}}}}},
		"not for":       {HTTP: []OriginConfig{{URL: "https://x", Headers: []Header{{Name: "host", Env: "a"}}}}},
		"cannot be the": {HTTP: []OriginConfig{{URL: "https://x", Headers: []Header{{Name: "a b", Env: "a"}}}}},
	} {
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q: %v", want, err)
		}
	}
	good := Config{Dirs: []DirConfig{{Path: "/"}, {Path: "/a b"}}, HTTP: []OriginConfig{{URL: "https://x:8443/a/", Headers: []Header{{Name: "Authorization", Prefix: "Bearer ", Env: "T"}}}}}
	if err := good.Validate(); err != nil {
		t.Error(err)
	}
	got, err := good.Resolve(func(name string) (string, bool) { return "v-" + name, true })
	if err != nil || got.HTTP[0].Headers[0] != (Header{Name: "Authorization", Value: "Bearer v-T"}) {
		t.Errorf("%+v %v", got, err)
	}
	if _, err := good.Resolve(func(string) (string, bool) { return "", false }); err == nil || !strings.Contains(err.Error(), "T is not set") {
		t.Error(err)
	}
}

func TestReachable(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "ca.pem")
	if err := os.WriteFile(file, []byte("nothing\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewTLSServer(nil)
	defer srv.Close()
	good := filepath.Join(dir, "good.pem")
	if err := os.WriteFile(good, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	origin := func(caFile string) Config { return Config{HTTP: []OriginConfig{{URL: "https://x", CAFile: caFile}}} }
	for want, c := range map[string]Config{
		"does not exist":                         {Dirs: []DirConfig{{Path: dir + "/none"}}},
		"and is none":                            {Dirs: []DirConfig{{Path: file}}},
		"ca_file: open " + dir + "/none.pem: no": origin(dir + "/none.pem"),
		"holds no certificate":                   origin(file),
	} {
		if err := c.Reachable(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q: %v", want, err)
		}
	}
	for _, c := range []Config{origin(""), origin(good), {Dirs: []DirConfig{{Path: dir}}}} {
		if err := c.Reachable(); err != nil {
			t.Error(err)
		}
	}
}
