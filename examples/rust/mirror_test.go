package rust_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/gsyncd/gsyncd-host/examples/internal/build"
)

const someSum = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

// TestMirror runs the host with the example's configuration: the archive becomes a
// directory, and a new archive a new state of it.
func TestMirror(t *testing.T) {
	module := module(t)
	base := t.TempDir()
	dir, archive, mirror := filepath.Join(base, "tree"), filepath.Join(base, "images", "rescue.cpio"), filepath.Join(base, "mirror")
	if err := os.Mkdir(filepath.Dir(archive), 0o755); err != nil {
		t.Fatal(err)
	}
	build.Fill(t, dir)
	put(t, archive, tree(t, dir))
	programs.Mirror(t, build.Example(t, "cpio.hcl", `"cpio.driver.wasm"`, `"`+module+`"`, someSum, build.Sum(t, module),
		"/srv/images", filepath.Dir(archive), "/mnt/mirror/rescue", mirror))
	build.Become(t, mirror, dir)
	build.Change(t, dir)
	put(t, archive, tree(t, dir))
	build.Become(t, mirror, dir)
	programs.Check(t, module, "--allow-dir", filepath.Dir(archive), "--url", "cpio://"+archive)
}
