package process_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	goplugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/process"
	"github.com/gsyncd/gsyncd-host/sdk/schema"
)

// TestMain is also the main function of the plugins that the tests start.
func TestMain(m *testing.M) {
	mode := ""
	if len(os.Args) > 1 {
		mode = os.Args[1]
	}
	switch mode {
	case "driver":
		process.ServeDriver(newFakeDriver)
	case "transfer":
		process.ServeTransfer(newFakeTransfer)
	case "next version":
		serveNextVersion()
	case "silent":
		hang()
	case "garbage":
		fmt.Println("hello, world")
		hang()
	case "exits":
		fmt.Fprintln(os.Stderr, "no license found")
		os.Exit(3)
	case "elsewhere":
		fmt.Printf("1|%d|unix|/tmp/elsewhere/socket|grpc|\n", process.Version)
		hang()
	case "host":
		beHost()
	case "agent":
		beAgent()
	default:
		os.Exit(m.Run())
	}
}

// hang waits for ever. A goroutine for signals keeps the runtime from calling
// that a deadlock.
func hang() {
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGUSR1)
	for range c {
	}
}

func serveNextVersion() {
	goplugin.Serve(&goplugin.ServeConfig{
		HandshakeConfig:  process.Handshake(),
		VersionedPlugins: map[int]goplugin.PluginSet{process.Version + 1: {"gsyncd": &emptyPlugin{}}},
		GRPCServer:       goplugin.DefaultGRPCServer,
	})
}

// emptyPlugin offers nothing.
type emptyPlugin struct {
	goplugin.NetRPCUnsupportedPlugin
}

func (emptyPlugin) GRPCServer(*goplugin.GRPCBroker, *grpc.Server) error { return nil }

func (emptyPlugin) GRPCClient(context.Context, *goplugin.GRPCBroker, *grpc.ClientConn) (any, error) {
	return nil, nil
}

// logBuffer gathers log records.
type logBuffer struct {
	mu    sync.Mutex
	lines []string
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lines = append(b.lines, string(p))
	return len(p), nil
}

func (b *logBuffer) all() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]string(nil), b.lines...)
}

func (b *logBuffer) logger(level slog.Level) *slog.Logger {
	return slog.New(slog.NewTextHandler(b, &slog.HandlerOptions{Level: level}))
}

// command starts this test binary as a plugin.
func command(t testing.TB, mode string) process.Command {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("/tmp", "gs") //nolint:usetesting // its path would be too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		left, _ := filepath.Glob(dir + "/*")
		if len(left) > 0 {
			t.Errorf("left in the socket directory: %v", left)
		}
		_ = os.RemoveAll(dir)
	})
	return process.Command{Path: exe, Args: []string{mode}, SocketDir: dir, Env: []string{"GSYNCD_TEST=1"}}
}

func launch(t testing.TB, c process.Command) *process.Process {
	t.Helper()
	p, err := process.Launch(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	return p
}

func driver(t testing.TB, p *process.Process) sdk.Driver {
	t.Helper()
	d, err := p.Driver(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func request(what string, cfg schema.Values) sdk.OpenRequest {
	return sdk.OpenRequest{Address: sdk.Address{Scheme: "fake", Rest: what}, Config: cfg, MarkKey: "k1"}
}

func source(t testing.TB, d sdk.Driver, what string, cfg schema.Values) sdk.Source {
	t.Helper()
	s, err := d.OpenSource(context.Background(), request(what, cfg))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close source: %v", err)
		}
	})
	return s
}

func target(t testing.TB, d sdk.Driver, what string) sdk.Target {
	t.Helper()
	s, err := d.OpenTarget(context.Background(), request(what, nil))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close target: %v", err)
		}
	})
	return s
}

// eventually polls until ok or a deadline.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(time.Minute)
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("not in time: %s", what)
		}
	}
}
