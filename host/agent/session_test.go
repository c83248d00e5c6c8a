package agent_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gsyncd/gsyncd-host/host/agent"
	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/process"
	"github.com/gsyncd/gsyncd-host/sdk/resume"
)

// client is a client of an agent whose first connection the test can end.
type client struct {
	driver sdk.Driver
	stream *process.Stream
	conn   net.Conn
	ended  <-chan error // the agent's
}

// serve starts an agent for a directory, and its client.
func serve(t *testing.T, doors, dir string, o resume.Options) *client {
	t.Helper()
	a, err := agent.New(agent.Options{URL: "file://" + dir, Drivers: drivers(), Doors: doors})
	if err != nil {
		t.Fatal(err)
	}
	near, far := net.Pipe()
	ended := make(chan error, 1)
	go func() { ended <- a.Serve(t.Context(), far) }()
	s, err := process.DialStream(t.Context(), near, process.StreamOptions{
		Resume: func(_ string, rw io.ReadWriteCloser) io.ReadWriteCloser { return resume.New(rw, o) },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	d, err := s.Driver(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return &client{driver: d, stream: s, conn: near, ended: ended}
}

func (c *client) open(t *testing.T) (sdk.Target, error) {
	t.Helper()
	values, err := c.driver.Describe().Schema.WithDefaults(nil)
	if err != nil {
		t.Fatal(err)
	}
	return c.driver.OpenTarget(t.Context(), sdk.OpenRequest{Address: sdk.Address{Scheme: "file", Rest: "x"}, Role: sdk.Secondary, MarkKey: "k", Config: values})
}

// TestRelay leads a client back to its session, whose secondary is still open.
func TestRelay(t *testing.T) {
	doors, dir := shortDir(t), filepath.Join(t.TempDir(), "s")
	var token string
	var conn net.Conn // the last one
	c := serve(t, doors, dir, resume.Options{Dial: func(context.Context) (io.ReadWriteCloser, error) {
		near, far := net.Pipe()
		go func() { _ = agent.Relay(t.Context(), far, doors, token, "", "v") }()
		conn = near
		return greeted(near, token)
	}})
	conn = c.conn
	token = c.stream.Token()
	dst, err := c.open(t)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []sdk.Path{"a", "b"} {
		conn.Close()
		if _, err := dst.Apply(t.Context(), []sdk.Op{{Kind: sdk.OpMkdir, Path: name}}); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(filepath.Join(dir, string(name))); err != nil {
			t.Error(err)
		}
	}
	c.stream.Close()
	select {
	case err := <-c.ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(time.Minute):
		t.Error("the agent did not end with its client")
	}
	near, far := net.Pipe()
	go func() { _ = agent.Relay(t.Context(), far, doors, token, "", "v") }()
	if _, err := greeted(near, token); err == nil || !strings.Contains(err.Error(), process.NoSession) {
		t.Errorf("a session that has ended: %v", err)
	}
}

// greeted waits for a relay's greeting. Since a pipe keeps nothing, what is read
// ahead of it is nothing either.
func greeted(conn net.Conn, token string) (io.ReadWriteCloser, error) {
	line := make([]byte, 0, 100)
	for one := make([]byte, 1); ; line = append(line, one[0]) {
		if _, err := conn.Read(one); err != nil {
			return nil, err
		}
		if one[0] == '\n' {
			break
		}
	}
	if !strings.HasSuffix(string(line), " "+token) {
		return nil, resume.Final(errors.New(string(line)))
	}
	return conn, nil
}

// TestTakeOver wants a secondary whose holder is there, and then has lost its
// client.
func TestTakeOver(t *testing.T) {
	doors, dir := shortDir(t), filepath.Join(t.TempDir(), "s")
	first := serve(t, doors, dir, resume.Options{})
	if _, err := first.open(t); err != nil {
		t.Fatal(err)
	}
	second := serve(t, doors, dir, resume.Options{})
	if _, err := second.open(t); sdk.KindOf(err) != sdk.KindBusy {
		t.Errorf("a secondary that is held: %v", err)
	}
	began := time.Now()
	first.conn.Close()
	if _, err := second.open(t); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > 20*time.Second { // less than a session waits for its client
		t.Errorf("it was given away after %s", took)
	}
	select {
	case <-first.ended:
	case <-time.After(time.Minute):
		t.Error("the first session did not end")
	}
}
