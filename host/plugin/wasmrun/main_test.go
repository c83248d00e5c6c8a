package wasmrun

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/gsyncd/gsyncd-host/host/plugin/wasmfile"
)

// built are the guests of this test run, which are built once, and the cache of what
// was compiled from them.
type built struct {
	dir   string
	mu    sync.Mutex
	paths map[string]string
}

var guests = &built{paths: map[string]string{}}

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "wasmrun")
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	guests.dir = dir
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// module builds the guest in a directory of this repository.
func module(t testing.TB, pkg string) string {
	t.Helper()
	guests.mu.Lock()
	defer guests.mu.Unlock()
	if path := guests.paths[pkg]; path != "" {
		return path
	}
	path := filepath.Join(guests.dir, filepath.Base(pkg)+".wasm")
	cmd := exec.Command("go", "build", "-buildmode=c-shared", "-ldflags=-s -w", "-o", path, pkg)
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", pkg, err, out)
	}
	guests.paths[pkg] = path
	return path
}

func cacheDir() string { return filepath.Join(guests.dir, "cache") }

func read(t testing.TB, path string) *wasmfile.File {
	t.Helper()
	f, err := wasmfile.Read(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	return f
}
