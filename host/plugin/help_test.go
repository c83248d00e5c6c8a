package plugin

import (
	"context"
	"crypto/sha256"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/gsyncd/gsyncd-host/host/plugin/wasmtest"
	"github.com/gsyncd/gsyncd-host/sdk"
)

// guests are the WASM modules of this test run.
var guests *wasmtest.Guests

func sumOf(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	s := sha256.Sum256(b)
	return s[:]
}

type logBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func shortDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "gsp") //nolint:usetesting // its path would be too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// third copies this test binary, as a plugin of somebody else.
func third(t testing.TB) (path string, sum []byte) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(exe)
	if err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(t.TempDir(), "other-driver")
	// A process that begins meanwhile would hold it open for writing.
	syscall.ForkLock.RLock()
	err = os.WriteFile(path, b, 0o755)
	syscall.ForkLock.RUnlock()
	if err != nil {
		t.Fatal(err)
	}
	s := sha256.Sum256(b)
	return path, s[:]
}

func registry(declared ...Declaration) Registry {
	return Registry{
		Drivers:   map[string]func(*slog.Logger) sdk.Driver{"mem": newMem},
		Transfers: map[string]func(*slog.Logger) sdk.Transfer{"shift": newShift},
		Declared:  declared,
	}
}

func supervisor(t testing.TB, reg Registry, opts Options) *Supervisor {
	t.Helper()
	if opts.RuntimeDir == "" {
		opts.RuntimeDir = shortDir(t)
	}
	s, err := New(reg, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(context.Background()); err != nil {
			t.Error(err)
		}
		if left, _ := os.ReadDir(opts.RuntimeDir); len(left) > 0 {
			t.Errorf("left in the runtime directory: %v", left)
		}
	})
	return s
}

func open(t testing.TB, p *Process) sdk.Source {
	t.Helper()
	src, err := p.Driver().OpenSource(t.Context(), sdk.OpenRequest{Address: sdk.Address{Scheme: "mem", Rest: "here"}})
	if err != nil {
		t.Fatal(err)
	}
	return src
}
