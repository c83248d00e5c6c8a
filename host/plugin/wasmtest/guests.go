// Package wasmtest builds guests for tests: each module once in a test run.
package wasmtest

import (
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

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

// Module builds a package as a guest and returns the module's path.
func (g *Guests) Module(t testing.TB, pkg string) string {
	t.Helper()
	g.mu.Lock()
	defer g.mu.Unlock()
	if path := g.paths[pkg]; path != "" {
		return path
	}
	path := filepath.Join(g.dir, filepath.Base(pkg)+".driver.wasm")
	Build(t, pkg, path)
	g.paths[pkg] = path
	return path
}

// Build builds a package as a guest, which is written to path.
func Build(t testing.TB, pkg, path string) {
	t.Helper()
	cmd := exec.Command("go", "build", "-buildmode=c-shared", "-ldflags=-s -w", "-o", path, pkg)
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", pkg, err, out)
	}
}

// CacheDir is where what was compiled is kept during the run.
func (g *Guests) CacheDir() string { return filepath.Join(g.dir, "cache") }
