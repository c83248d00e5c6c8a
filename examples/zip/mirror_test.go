package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gsyncd/gsyncd-host/examples/internal/build"
)

const someSum = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

// TestMirror runs the host with the example's configuration: the archive becomes a
// directory, and a new archive a new state of it.
func TestMirror(t *testing.T) {
	base := t.TempDir()
	tree, archive, mirror := filepath.Join(base, "tree"), filepath.Join(base, "export", "nightly.zip"), filepath.Join(base, "mirror")
	pack := func() {
		t.Helper()
		zipTree(t, tree, archive+".new")
		if err := os.Rename(archive+".new", archive); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Dir(archive), 0o755); err != nil {
		t.Fatal(err)
	}
	build.Fill(t, tree)
	pack()
	module := programs.Guest(t, "zip")
	said := programs.Mirror(t, build.Example(t, "zip.hcl", `"zip.driver.wasm"`, `"`+module+`"`, someSum, build.Sum(t, module),
		"/srv/export", filepath.Dir(archive), "/mnt/mirror/export", mirror))
	build.Become(t, mirror, tree)
	same := build.Inode(t, filepath.Join(mirror, "docs/same"))
	build.Change(t, tree)
	pack()
	build.Become(t, mirror, tree)
	if build.Inode(t, filepath.Join(mirror, "docs/same")) != same {
		t.Error("a file that did not change was brought once more")
	}
	if strings.Contains(said(), "level=ERROR") {
		t.Errorf("the host said:\n%s", said())
	}
	programs.Check(t, module, "--allow-dir", filepath.Dir(archive), "--url", "zip://"+archive)
}
