package plugin

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestUserDir(t *testing.T) {
	for _, c := range []struct {
		root bool
		env  map[string]string
		want string
	}{
		{true, map[string]string{"HOME": "/root"}, "/var/lib/gsyncd-host/plugins"},
		{true, map[string]string{"XDG_DATA_HOME": "/data"}, "/data/gsyncd-host/plugins"},
		{false, map[string]string{"HOME": "/home/a"}, "/home/a/.local/share/gsyncd-host/plugins"},
		{false, map[string]string{"HOME": "/home/a", "XDG_DATA_HOME": "relative"}, "/home/a/.local/share/gsyncd-host/plugins"},
		{false, nil, ""},
	} {
		if got := UserDir(c.root, func(name string) string { return c.env[name] }); got != c.want {
			t.Errorf("root %v, %v: %q, want %q", c.root, c.env, got, c.want)
		}
	}
	if got := LibexecDir("/usr/local/bin/gsyncd-host"); got != "/usr/local/libexec/gsyncd-host/plugins" {
		t.Errorf("libexec is %q", got)
	}
}

func TestList(t *testing.T) {
	a, b := t.TempDir(), t.TempDir()
	for _, path := range []string{
		a + "/zip.driver.wasm", a + "/gsyncd-driver-s3", a + "/gsyncd-transfer-copy", a + "/gsyncd-driver-", a + "/Zip.driver.wasm", a + "/x.wasm",
		b + "/gsyncd-driver-zip", b + "/s3.driver.wasm", b + "/gsyncd-driver-copy",
	} {
		if err := os.WriteFile(path, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(b+"/gsyncd-driver-dir", 0o755); err != nil {
		t.Fatal(err)
	}
	got, err := List([]string{a, filepath.Join(a, "missing"), b})
	want := []Found{
		{Kind: KindDriver, Name: "s3", Path: a + "/gsyncd-driver-s3"},
		{Kind: KindTransfer, Name: "copy", Path: a + "/gsyncd-transfer-copy"},
		{Kind: KindDriver, Name: "zip", Path: a + "/zip.driver.wasm"},
		{Kind: KindDriver, Name: "copy", Path: b + "/gsyncd-driver-copy"},
		{Kind: KindDriver, Name: "zip", Path: b + "/gsyncd-driver-zip", Hidden: true},
		{Kind: KindDriver, Name: "s3", Path: b + "/s3.driver.wasm", Hidden: true},
	}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Error(diff, err)
	}
	for _, f := range got {
		if name := FileName(f.Kind, f.Name, f.Guest()); name != filepath.Base(f.Path) {
			t.Errorf("%s would be installed as %s", f.Path, name)
		}
	}
	if _, err := List([]string{a + "/x.wasm"}); err == nil {
		t.Error("a file was taken for a directory")
	}
}

func TestFind(t *testing.T) {
	a, b := t.TempDir(), t.TempDir()
	for _, path := range []string{a + "/one", b + "/one", b + "/two"} {
		if err := os.WriteFile(path, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", t.TempDir()+":"+b) // which does not matter
	for source, want := range map[string]string{"one": a + "/one", "two": b + "/two", b + "/one": b + "/one"} {
		if got, err := Find(source, []string{a, b}); got != want || err != nil {
			t.Errorf("%s: %s, %v", source, got, err)
		}
	}
	for source, want := range map[string]string{"two": "is in none of the plugin directories: " + a, b + "/three": "no such file", b: "is not a file"} {
		if _, err := Find(source, []string{a}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", source, err, want)
		}
	}
}
