package process_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/process"
)

func TestStartFailures(t *testing.T) {
	tests := map[string]struct {
		mode string
		edit func(*process.Command)
		want string
	}{
		"another version":  {mode: "next version", want: fmt.Sprintf("Plugin version: %d, Client versions: [%d]", process.Version+1, process.Version)},
		"garbage":          {mode: "garbage", want: "Unrecognized remote plugin message: hello, world"},
		"silent":           {mode: "silent", edit: func(c *process.Command) { c.StartTimeout = 200 * time.Millisecond }, want: "no answer within 200ms"},
		"exits":            {mode: "exits", want: "it said: no license found"},
		"other socket":     {mode: "elsewhere", want: "outside of its directory"},
		"wrong checksum":   {mode: "driver", edit: func(c *process.Command) { c.SHA256 = make([]byte, sha256.Size) }, want: "its SHA-256 checksum is "},
		"no checksum":      {mode: "driver", edit: func(c *process.Command) { c.SHA256 = []byte("x") }, want: "has 32 bytes, not 1"},
		"no such file":     {mode: "driver", edit: func(c *process.Command) { c.Path = "/nonexistent/plugin" }, want: "no such file"},
		"no such dir":      {mode: "driver", edit: func(c *process.Command) { c.SocketDir = "/nonexistent" }, want: "no such file"},
		"a long directory": {mode: "driver", edit: longDir(t), want: "path of a socket would have"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := command(t, tt.mode)
			if tt.edit != nil {
				tt.edit(&c)
			}
			p, err := process.Launch(t.Context(), c)
			if err == nil {
				p.Kill()
				t.Fatal("started")
			}
			var start *process.StartError
			if !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "\n") || !errors.As(err, &start) {
				t.Errorf("error %q, want one line with %q", err, tt.want)
			}
		})
	}
}

func longDir(t *testing.T) func(*process.Command) {
	return func(c *process.Command) {
		c.SocketDir = filepath.Join(t.TempDir(), strings.Repeat("x", 100))
		if err := os.Mkdir(c.SocketDir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
}

func TestStartCancelled(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("changed my mind")
	time.AfterFunc(50*time.Millisecond, func() { cancel(why) })
	_, err := process.Launch(ctx, command(t, "silent"))
	if !errors.Is(err, why) {
		t.Errorf("error %v", err)
	}
}

func TestChecksumAndMTLS(t *testing.T) {
	c := command(t, "driver")
	b, err := os.ReadFile(c.Path)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(b)
	c.SHA256, c.MTLS = sum[:], true
	if got := driver(t, launch(t, c)).Describe().Name; got != "fake" {
		t.Errorf("name %q", got)
	}
}

func TestWrongKind(t *testing.T) {
	p := launch(t, command(t, "transfer"))
	_, err := p.Driver(t.Context())
	if sdk.KindOf(err) != sdk.KindUnsupported {
		t.Errorf("error %v", err)
	}
}

func TestEnvironment(t *testing.T) {
	t.Setenv("SECRET_TOKEN", "hunter2")
	d := driver(t, launch(t, command(t, "driver")))
	id, err := source(t, d, "env", nil).Identity(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(id.Filesystem, "hunter2") || !strings.Contains(id.Filesystem, "GSYNCD_TEST=1") {
		t.Errorf("environment of the plugin:\n%s", id.Filesystem)
	}
}
