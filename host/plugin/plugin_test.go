package plugin

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gsyncd/gsyncd-host/host/plugin/wasmrun"
	"github.com/gsyncd/gsyncd-host/host/plugin/wasmtest"
	"github.com/gsyncd/gsyncd-host/plugins/file"
	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/grant"
	"github.com/gsyncd/gsyncd-host/sdk/process"
)

// TestMain is also the main function of the plugins: "plugin NAME", as the
// supervisor calls built-in ones, and "third NAME" for those of others.
func TestMain(m *testing.M) {
	if len(os.Args) == 4 && os.Args[2] == "wasm" {
		if err := wasmrun.Serve(context.Background(), os.Args[3]); err != nil {
			fmt.Fprintln(os.Stderr, "error:", err)
			os.Exit(1)
		}
		return
	}
	if len(os.Args) != 3 {
		os.Exit(wasmtest.Run(func(g *wasmtest.Guests) int {
			guests = g
			return m.Run()
		}))
	}
	switch os.Args[2] {
	case "file":
		process.ServeDriver(file.New)
	case "shift":
		process.ServeTransfer(newShift)
	default:
		process.ServeDriver(func(log *slog.Logger) sdk.Driver { return &stub{log: log, name: os.Args[2]} })
	}
}

func TestBuiltIn(t *testing.T) {
	var logs logBuffer
	reg := registry()
	reg.Env = map[string][]string{"mem": {"ITS_OWN"}, "other": {"MINE"}}
	s := supervisor(t, reg, Options{
		Logger:  slog.New(slog.NewTextHandler(&logs, nil)),
		Environ: []string{"PATH=/bin", "SECRET=1", "MINE=2", "ITS_OWN=3"},
	})
	p, err := s.Start(t.Context(), KindDriver, "mem", "primary")
	if err != nil {
		t.Fatal(err)
	}
	id, err := open(t, p).Identity(t.Context())
	if err != nil || p.PID() == os.Getpid() || p.Transfer() != nil {
		t.Error(err, p.PID(), p.Transfer())
	}
	if !strings.Contains(id.Filesystem, "PATH=/bin") || !strings.Contains(id.Filesystem, "ITS_OWN=3") || strings.Contains(id.Filesystem, "SECRET") || strings.Contains(id.Filesystem, "MINE") {
		t.Errorf("environment %q", id.Filesystem)
	}
	tr, err := s.Start(t.Context(), KindTransfer, "shift", "")
	if err != nil {
		t.Fatal(err)
	}
	if tr.Driver() != nil || tr.Transfer().Describe().Name != "shift" {
		t.Error("not the transfer method")
	}
	p.Stop(t.Context())
	<-p.Done()
	if !strings.Contains(logs.String(), "level=WARN msg=opened plugin=mem side=primary what=here") {
		t.Errorf("log:\n%s", logs.String())
	}
}

func TestDeath(t *testing.T) {
	s := supervisor(t, registry(), Options{})
	p, err := s.Start(t.Context(), KindDriver, "mem", "")
	if err != nil {
		t.Fatal(err)
	}
	src := open(t, p)
	if err := syscall.Kill(p.PID(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-p.Done()
	if _, err := src.Identity(t.Context()); sdk.KindOf(err) != sdk.KindGone {
		t.Errorf("error %v", err)
	}
	if p.Err() == nil {
		t.Error("killed, and in good order")
	}
	again, err := s.Start(t.Context(), KindDriver, "mem", "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := open(t, again).Identity(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestCloseKillsStopped(t *testing.T) {
	s := supervisor(t, registry(), Options{})
	const plugins = 6
	for range plugins {
		p, err := s.Start(t.Context(), KindDriver, "mem", "")
		if err != nil {
			t.Fatal(err)
		}
		if err := syscall.Kill(p.PID(), syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
	}
	begin := time.Now()
	if err := s.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if took := time.Since(begin); took > (plugins-1)*process.StopGrace { // one after another
		t.Errorf("took %s", took)
	}
	if _, err := s.Start(t.Context(), KindDriver, "mem", ""); !errors.Is(err, errClosed) {
		t.Errorf("error %v", err)
	}
}

func TestInside(t *testing.T) {
	s := supervisor(t, registry(Declaration{Kind: KindDriver, Name: "mem", Isolation: IsolateNone}), Options{})
	p, err := s.Start(t.Context(), KindDriver, "mem", "")
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := p.Driver().(*stub); !ok || p.PID() != os.Getpid() {
		t.Errorf("%T in process %d", p.Driver(), p.PID())
	}
	p.Stop(t.Context())
	p.Kill()
	<-p.Done()
}

func TestThirdParty(t *testing.T) {
	path, sum := third(t)
	other := Declaration{Kind: KindDriver, Name: "other", Path: path, Args: []string{"third", "other"}, SHA256: sum, Env: []string{"MINE"},
		Grants: grant.Config{Dirs: []grant.DirConfig{{Path: filepath.Dir(path), Write: true}}}}
	liar := Declaration{Kind: KindDriver, Name: "liar", Path: path, Args: []string{"third", "somebody"}, SHA256: sum}
	forged := Declaration{Kind: KindDriver, Name: "forged", Path: path, SHA256: make([]byte, 32)}
	s := supervisor(t, registry(other, liar, forged), Options{Environ: []string{"MINE=2"}})
	p, err := s.Start(t.Context(), KindDriver, "other", "")
	if err != nil {
		t.Fatal(err)
	}
	if id, err := open(t, p).Identity(t.Context()); err != nil || !strings.Contains(id.Filesystem, "MINE=2") || !strings.Contains(id.Filesystem, "granted "+filepath.Dir(path)+" true") {
		t.Errorf("environment %q: %v", id.Filesystem, err)
	}
	schemes, err := s.Schemes(t.Context())
	if diff := cmp.Diff(map[string]string{"mem": "mem", "other": "other"}, schemes); diff != "" {
		t.Error(diff)
	}
	if err == nil || !strings.Contains(err.Error(), `calls itself "somebody"`) || !strings.Contains(err.Error(), "checksum") {
		t.Errorf("error %v", err)
	}
	if err := os.Chmod(path, 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Start(t.Context(), KindDriver, "other", ""); err == nil || !strings.Contains(err.Error(), "written by everybody") {
		t.Errorf("error %v", err)
	}
}

func TestUnknown(t *testing.T) {
	s := supervisor(t, registry(), Options{})
	_, err := s.Start(t.Context(), KindDriver, "nope", "")
	if err == nil || !strings.Contains(err.Error(), "known are: mem") {
		t.Errorf("error %v", err)
	}
}

func TestDeclarations(t *testing.T) {
	sum := make([]byte, 32)
	tests := map[string][]Declaration{
		"neither":         {{Kind: "thing", Name: "x"}},
		"no name":         {{Kind: KindDriver, Path: "/x"}},
		"not built in":    {{Kind: KindDriver, Name: "x"}},
		"not absolute":    {{Kind: KindDriver, Name: "x", Path: "x", SHA256: sum}},
		"no SHA-256":      {{Kind: KindDriver, Name: "x", Path: "/x"}},
		"but no path":     {{Kind: KindDriver, Name: "mem", SHA256: sum}},
		"declared twice":  {{Kind: KindDriver, Name: "mem"}, {Kind: KindDriver, Name: "mem"}},
		"only a built-in": {{Kind: KindDriver, Name: "x", Path: "/x", SHA256: sum, Isolation: IsolateNone}},
		"variable name":   {{Kind: KindDriver, Name: "x", Path: "/x", SHA256: sum, Env: []string{"A=b"}}},
		"negative":        {{Kind: KindDriver, Name: "mem", CallTimeout: -1}},
		"limits are for":  {{Kind: KindDriver, Name: "x", Path: "/x", SHA256: sum, Trusted: true}},
		"needs no grants": {{Kind: KindDriver, Name: "mem", Grants: grant.Config{Dirs: []grant.DirConfig{{Path: "/x"}}}}},
		"neither arg":     {{Kind: KindDriver, Name: "x", Path: "/x.wasm", SHA256: sum, Args: []string{"a"}}},
		"be a driver":     {{Kind: KindTransfer, Name: "x", Path: "/x.wasm", SHA256: sum}},
		"up to 4 GiB":     {{Kind: KindDriver, Name: "x", Path: "/x.wasm", SHA256: sum, Limits: Limits{Memory: 5 << 30}}},
		"write an abs":    {{Kind: KindDriver, Name: "x", Path: "/x.wasm", SHA256: sum, Grants: grant.Config{Dirs: []grant.DirConfig{{Path: "x"}}}}},
	}
	for want, declared := range tests {
		if _, err := New(registry(declared...), Options{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q: %v", want, err)
		}
	}
}

func TestSweep(t *testing.T) {
	base := shortDir(t)
	stale := filepath.Join(base, runPrefix+"1")
	foreign := filepath.Join(base, "other")
	for _, dir := range []string{stale, foreign, filepath.Join(stale, "plugin-dir7")} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(foreign, filepath.Join(base, runPrefix+"link")); err != nil {
		t.Fatal(err)
	}
	// Somebody's data under a name like ours: not a byte of it may go.
	data := filepath.Join(base, runPrefix+"data", "deep", "tree")
	if err := os.MkdirAll(data, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(data, "file"), []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("file", filepath.Join(base, runPrefix+"data", "a-link")); err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	living, err := newRunDir(base, log)
	if err != nil {
		t.Fatal(err)
	}
	second, err := newRunDir(base, log)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	list, err := os.ReadDir(base)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range list {
		got = append(got, e.Name())
	}
	want := []string{filepath.Base(living.path), filepath.Base(second.path), runPrefix + "data", runPrefix + "link", "other"}
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for _, kept := range []string{"a-link", "deep/tree/file"} {
		if _, err := os.Lstat(filepath.Join(base, runPrefix+"data", kept)); err != nil {
			t.Error(err)
		}
	}
	if err := errors.Join(living.remove(), second.remove()); err != nil {
		t.Error(err)
	}
	if _, err := runBase(strings.Repeat("/x", 40)); err == nil {
		t.Error("a directory too long for sockets was accepted")
	}
}

func TestConcurrentStarts(t *testing.T) {
	s := supervisor(t, registry(), Options{})
	errs := make(chan error)
	const n = 6
	for i := range n {
		go func() {
			kind, name := KindDriver, "mem"
			if i%2 == 1 {
				kind, name = KindTransfer, "shift"
			}
			_, err := s.Start(t.Context(), kind, name, fmt.Sprint(i))
			errs <- err
		}()
	}
	for range n {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
}

func BenchmarkStart(b *testing.B) {
	s := supervisor(b, registry(), Options{})
	for b.Loop() {
		p, err := s.Start(b.Context(), KindDriver, "mem", "")
		if err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		p.Kill()
		b.StartTimer()
	}
}
