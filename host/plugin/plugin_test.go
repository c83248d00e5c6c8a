package plugin

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
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
	"github.com/gsyncd/gsyncd-host/sdk/schema"
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

// stub is a driver whose only resource tells about its process.
type stub struct {
	log  *slog.Logger
	name string
}

func newMem(log *slog.Logger) sdk.Driver { return &stub{log: log, name: "mem"} }

func (s *stub) Describe() sdk.Descriptor {
	return sdk.Descriptor{Name: s.name, Version: "1", Schemes: []string{s.name}, Roles: []sdk.Role{sdk.Primary}}
}

func (s *stub) Check(context.Context, sdk.OpenRequest) []schema.Diagnostic { return nil }

func (s *stub) OpenSource(_ context.Context, req sdk.OpenRequest) (sdk.Source, error) {
	s.log.Warn("opened", "what", req.Address.Rest)
	return &tell{}, nil
}

func (s *stub) OpenTarget(context.Context, sdk.OpenRequest) (sdk.Target, error) {
	return nil, &sdk.Error{Kind: sdk.KindUnsupported, Op: "open"}
}

// tell is a source that knows its environment and no files.
type tell struct{}

func (*tell) Info() sdk.Info { return sdk.Info{} }
func (*tell) Identity(context.Context) (sdk.Identity, error) {
	said := os.Environ()
	dirs, err := grant.Given().Dirs()
	for _, d := range dirs {
		said = append(said, fmt.Sprint("granted ", d.Path(), " ", d.Writable()))
	}
	return sdk.Identity{Filesystem: strings.Join(said, "\n")}, err
}
func (*tell) Scan(context.Context, sdk.ScanRequest, sdk.ScanSink) error { return nil }
func (*tell) Stat(context.Context, []sdk.Path, sdk.Fields) ([]sdk.Entry, error) {
	return nil, nil
}
func (*tell) Close() error                                         { return nil }
func (*tell) Beacon(context.Context) (sdk.Beacon, error)           { return sdk.Beacon{}, nil }
func (*tell) Read(context.Context, []sdk.Path, sdk.ReadSink) error { return nil }

type shift struct{}

func newShift(*slog.Logger) sdk.Transfer { return shift{} }

func (shift) Describe() sdk.TransferDescriptor                         { return sdk.TransferDescriptor{Name: "shift"} }
func (shift) Check(context.Context, schema.Values) []schema.Diagnostic { return nil }
func (shift) Run(context.Context, sdk.Job, []sdk.File, func(sdk.FileResult), func(int64)) error {
	return nil
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
