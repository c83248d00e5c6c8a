// Package wasmtest builds guests for tests: each module once in a test run.
package wasmtest

import (
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

const precompile = "github.com/gsyncd/gsyncd-host/host/plugin/wasmrun/testdata/precompile"

// Guests are the modules of a test run. Its methods may be called concurrently.
type Guests struct {
	dir   string
	mu    sync.Mutex
	paths map[string]string
}

// Run makes a place for guests, runs what run is, and removes the place. It is for
// TestMain, which exits with the code.
func Run(run func(*Guests) int) int {
	dir, err := os.MkdirTemp("", "guests")
	if err != nil {
		_, _ = os.Stderr.WriteString(err.Error() + "\n")
		return 1
	}
	defer os.RemoveAll(dir)
	return run(&Guests{dir: dir, paths: map[string]string{}})
}

// New returns guests of one test.
func New(t testing.TB) *Guests { return &Guests{dir: t.TempDir(), paths: map[string]string{}} }

// Module builds a package as a guest, compiles it into the cache, and returns the
// module's path.
func (g *Guests) Module(t testing.TB, pkg string) string {
	t.Helper()
	g.mu.Lock()
	defer g.mu.Unlock()
	if path := g.paths[pkg]; path != "" {
		return path
	}
	path := filepath.Join(g.dir, filepath.Base(pkg)+".driver.wasm")
	command(t, []string{"GOOS=wasip1", "GOARCH=wasm"}, "go", "build", "-buildmode=c-shared", "-trimpath", "-ldflags=-s -w", "-o", path, pkg)
	helper := filepath.Join(g.dir, "precompile")
	if g.paths[precompile] == "" {
		// A test's binary does not know the versions of its modules, which wazero keeps apart.
		command(t, nil, "go", "build", "-trimpath", "-ldflags=-X github.com/tetratelabs/wazero/internal/version.version=dev", "-o", helper, precompile)
		g.paths[precompile] = helper
	}
	if err := os.MkdirAll(g.CacheDir(), 0o700); err != nil {
		t.Fatal(err)
	}
	command(t, nil, helper, path, g.CacheDir())
	g.paths[pkg] = path
	return path
}

// CacheDir is where what was compiled is kept during the run, as a runner finds it
// with CacheHome as $XDG_CACHE_HOME.
func (g *Guests) CacheDir() string { return filepath.Join(g.CacheHome(), "gsyncd-host", "wasm") }

// CacheHome is the directory of the user's cache during the run.
func (g *Guests) CacheHome() string { return filepath.Join(g.dir, "cache") }

func command(t testing.TB, env []string, name string, args ...string) {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Env = append(append(os.Environ(), "CGO_ENABLED=0"), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", cmd, err, out)
	}
}
