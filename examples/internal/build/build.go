// Package build makes the programs that the tests of the examples run.
package build

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/gsyncd/gsyncd-host/host/plugin/wasmrun"
	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/drivertest"
	"github.com/gsyncd/gsyncd-host/sdk/grant"
	"github.com/gsyncd/gsyncd-host/sdk/process"
)

// Module is where the repository's packages are.
const Module = "github.com/gsyncd/gsyncd-host/"

// Programs are those of one test binary. Each is made once.
type Programs struct {
	dir  string
	mu   sync.Mutex
	made map[string]string
}

// Main runs the tests of a package with programs, which are gone afterwards. A test
// binary that is started with the one argument "serve" is the plugin itself.
func Main(m *testing.M, p *Programs, serve func()) int {
	if len(os.Args) == 2 && os.Args[1] == "serve" {
		serve()
		return 0
	}
	var err error
	if p.dir, err = os.MkdirTemp("", "examples"); err != nil {
		slog.New(slog.NewTextHandler(os.Stderr, nil)).Error("make a directory for programs", "error", err)
		return 1
	}
	p.made = map[string]string{}
	defer os.RemoveAll(p.dir)
	return m.Run()
}

// cache is where compiled modules are kept, apart from the program's file of that name.
func (p *Programs) cache() string { return filepath.Join(p.dir, "cache") }

// once returns the program called name, and makes it if it is not there.
func (p *Programs) once(t drivertest.T, name string, make func(out string) *exec.Cmd) string {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if path := p.made[name]; path != "" {
		return path
	}
	path := filepath.Join(p.dir, name)
	if out, err := make(path).CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", name, err, out)
	}
	p.made[name] = path
	return path
}

// Host builds the program itself, as its task does.
func (p *Programs) Host(t drivertest.T) string {
	return p.once(t, "gsyncd-host", func(out string) *exec.Cmd {
		cmd := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", out, Module+"host/cmd/gsyncd-host")
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		return cmd
	})
}

// Guest builds the driver in a directory of examples as a module.
func (p *Programs) Guest(t drivertest.T, example string) string {
	return p.once(t, filepath.Base(example)+".driver.wasm", func(out string) *exec.Cmd {
		cmd := exec.Command("go", "build", "-buildmode=c-shared", "-trimpath", "-ldflags=-s -w", "-o", out, Module+"examples/"+example)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=wasip1", "GOARCH=wasm")
		return cmd
	})
}

// Command makes a program by another command.
func (p *Programs) Command(t drivertest.T, name string, make func(out string) *exec.Cmd) string {
	return p.once(t, name, make)
}

// Launch starts this test binary as a plugin with grants.
func Launch(t drivertest.T, granted grant.Config) (sdk.Driver, func()) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	handout, err := json.Marshal(granted)
	if err != nil {
		t.Fatal(err)
	}
	return launch(t, process.Command{Path: self, Args: []string{"serve"}, Handout: handout})
}

// LaunchGuest starts the host's runner with a module.
func (p *Programs) LaunchGuest(t drivertest.T, module string, granted grant.Config) (sdk.Driver, func()) {
	t.Helper()
	handout, err := wasmrun.Config{Grants: granted, CacheDir: filepath.Join(p.cache(), "gsyncd-host", "wasm")}.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return launch(t, process.Command{Path: p.Host(t), Args: []string{"plugin", "wasm", module}, Handout: handout})
}

func launch(t drivertest.T, c process.Command) (sdk.Driver, func()) {
	t.Helper()
	c.StartTimeout = 5 * time.Minute // the first time a module is compiled
	proc, err := process.Launch(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(proc.Kill)
	d, err := proc.Driver(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return d, proc.Kill
}

// Sum is a file's checksum as a configuration has it.
func Sum(t drivertest.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
