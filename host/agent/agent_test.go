package agent_test

import (
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gsyncd/gsyncd-host/host/agent"
	"github.com/gsyncd/gsyncd-host/plugins/file"
	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/process"
)

func drivers() map[string]func(*slog.Logger) sdk.Driver {
	return map[string]func(*slog.Logger) sdk.Driver{"file": file.New}
}

// TestPinned asks an agent for another directory than it was started for.
func TestPinned(t *testing.T) {
	mine, other := filepath.Join(t.TempDir(), "mine"), filepath.Join(t.TempDir(), "other")
	a, err := agent.New(agent.Options{URL: "file://" + mine, Drivers: drivers()})
	if err != nil {
		t.Fatal(err)
	}
	near, far := net.Pipe()
	ended := make(chan error, 1)
	go func() { ended <- a.Serve(t.Context(), far) }()
	s, err := process.DialStream(t.Context(), near, process.StreamOptions{})
	if err != nil {
		t.Fatal(err)
	}
	d, err := s.Driver(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	values, err := d.Describe().Schema.WithDefaults(nil)
	if err != nil {
		t.Fatal(err)
	}
	dst, err := d.OpenTarget(t.Context(), sdk.OpenRequest{Address: sdk.Address{Scheme: "file", Rest: other}, Role: sdk.Secondary, MarkKey: "k", Config: values})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := dst.Apply(t.Context(), []sdk.Op{{Kind: sdk.OpMkdir, Path: "d"}}); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(mine, "d")); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(other); err == nil {
		t.Error("the client chose the directory")
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(time.Minute):
		t.Error("the agent did not end with its client")
	}
}

func TestBadURL(t *testing.T) {
	for url, want := range map[string]string{
		"relative":            "neither an absolute path nor a URL",
		"host:/path":          "leads to another machine",
		"gluster://h:v":       "no driver here opens gluster:// URLs; known are: file",
		"ssh://h:file:///x":   "leads to another machine",
		"file://h/not/a/path": "must be absolute",
	} {
		if _, err := agent.New(agent.Options{URL: url, Drivers: drivers()}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", url, err, want)
		}
	}
}

// TestStdioCloses ends a read that is under way.
func TestStdioCloses(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	r2, w2, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r2.Close()
	rw, err := agent.Stdio(r, w2)
	if err != nil {
		t.Fatal(err)
	}
	read := make(chan error, 1)
	go func() {
		_, err := io.ReadFull(rw, make([]byte, 2))
		read <- err
	}()
	if _, err := w.Write([]byte("x")); err != nil { // the read is under way, or about to be
		t.Fatal(err)
	}
	if err := rw.Close(); err != nil {
		t.Error(err)
	}
	select {
	case err := <-read:
		if err == nil {
			t.Error("two bytes were read of one")
		}
	case <-time.After(time.Minute):
		t.Error("the read did not end")
	}
}
