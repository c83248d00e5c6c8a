package process_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/process"
	"github.com/gsyncd/gsyncd-host/sdk/schema"
)

// serveStream serves the fake driver at one end of a stream whose other end it
// returns.
func serveStream(t *testing.T, silence time.Duration) (net.Conn, <-chan error) {
	t.Helper()
	near, far := net.Pipe()
	ended := make(chan error, 1)
	go func() {
		ended <- process.ServeStream(t.Context(), far, newFakeDriver(slog.New(slog.DiscardHandler)), process.StreamOptions{Program: "v 1", Silence: silence})
	}()
	t.Cleanup(func() { near.Close() })
	return near, ended
}

func awaitEnd(t *testing.T, ended <-chan error) error {
	t.Helper()
	select {
	case err := <-ended:
		return err
	case <-time.After(time.Minute):
		t.Fatal("the agent did not end")
		return nil
	}
}

func TestStream(t *testing.T) {
	near, ended := serveStream(t, 0)
	s, err := process.DialStream(t.Context(), near, process.StreamOptions{Peer: "the agent on far", Why: func() string { return "pulled out" }})
	if err != nil {
		t.Fatal(err)
	}
	d, err := s.Driver(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if name := d.Describe().Name; name == "" {
		t.Error("a driver without a name")
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := awaitEnd(t, ended); err != nil {
		t.Errorf("the agent ended with %v", err)
	}
	_, err = d.OpenTarget(t.Context(), sdk.OpenRequest{Address: sdk.Address{Scheme: "fake", Rest: "x"}})
	if sdk.KindOf(err) != sdk.KindGone || !strings.Contains(err.Error(), "the agent on far is gone: pulled out") {
		t.Errorf("after the end: %v", err)
	}
}

// counted counts the bytes that pass.
type counted struct {
	net.Conn
	read, written atomic.Int64
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.read.Add(int64(n))
	return n, err
}

func (c *counted) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.written.Add(int64(n))
	return n, err
}

// TestStreamCompress reads and writes text, and counts.
func TestStreamCompress(t *testing.T) {
	const size = 4 << 20
	text := []byte(strings.Repeat("All work and no play makes Jack a dull boy. ", size/44))
	pass := func(compress bool) (read, written int64) {
		near, _ := serveStream(t, 0)
		c := &counted{Conn: near}
		s, err := process.DialStream(t.Context(), c, process.StreamOptions{Compress: compress})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		d, err := s.Driver(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var sink readCount
		if err := source(t, d, "x", schema.Values{"bytes": int64(size)}).Read(t.Context(), []sdk.Path{"a"}, &sink); err != nil || sink.bytes != size {
			t.Fatalf("read %d bytes: %v", sink.bytes, err)
		}
		tg := target(t, d, "count")
		w, err := tg.Write(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		err = errors.Join(w.Begin(sdk.NewFile{Path: "f", Size: int64(len(text))}), w.Data(0, text), w.End(true))
		if _, closing := w.Close(); errors.Join(err, closing) != nil {
			t.Fatal(err, closing)
		}
		if id, err := tg.Identity(t.Context()); err != nil || id.Root.Gen != uint64(len(text)) {
			t.Fatalf("%d bytes arrived: %v", id.Root.Gen, err)
		}
		return c.read.Load(), c.written.Load()
	}
	read, written := pass(false)
	if read < size || written < int64(len(text)) {
		t.Fatalf("without compression: %d read, %d written", read, written)
	}
	lessRead, lessWritten := pass(true)
	t.Logf("read %d and %d, written %d and %d bytes", read, lessRead, written, lessWritten)
	if lessRead > read/20 || lessWritten > written/20 {
		t.Errorf("compressed: read %d of %d, written %d of %d", lessRead, read, lessWritten, written)
	}
}

// TestStreamSilence lets the client fall silent, before and after it has met
// the agent.
func TestStreamSilence(t *testing.T) {
	near, ended := serveStream(t, time.Second)
	go io.Copy(io.Discard, near)
	if err := awaitEnd(t, ended); err == nil || !strings.Contains(err.Error(), "no client within 1s") {
		t.Errorf("the agent ended with %v", err)
	}
	near, ended = serveStream(t, 4*time.Second)
	go io.Copy(io.Discard, near)
	// A client as far as the first frames of HTTP/2 go.
	fmt.Fprintf(near, "gsyncd-host-client %d x\nPRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00", process.Version)
	if err := awaitEnd(t, ended); err != nil {
		t.Errorf("the agent ended with %v", err)
	}
}

func TestStreamGreeting(t *testing.T) {
	good := fmt.Sprintf("gsyncd-host-agent %d v1\n", process.Version)
	noise := strings.Repeat(strings.Repeat("x", 79)+"\n", 64<<10/80-1)
	for _, c := range []struct{ name, sent, want string }{
		{"good", good, ""},
		{"after noise", noise + good, ""},
		{"after a prompt", "welcome! $ " + good, ""},
		{"too much noise", noise + noise + good, `no greeting of an agent, but "xxx`},
		{"nothing", "", "no greeting of an agent: EOF"},
		{"something else", "Last login: \x1b[31myesterday\n", `but "Last login: \x1b[31myesterday": EOF`},
		{"cut off", good[:10], "EOF"},
		{"newer", "gsyncd-host-agent 77 v2.0\n", "(gsyncd-host v2.0) speaks protocol 77"},
		{"no version", "gsyncd-host-agent x y\n", "no version"},
	} {
		t.Run(c.name, func(t *testing.T) {
			near, far := net.Pipe()
			defer far.Close()
			go func() {
				io.WriteString(far, c.sent)
				if c.want == "" {
					io.Copy(io.Discard, far)
				}
				far.Close()
			}()
			s, err := process.DialStream(t.Context(), near, process.StreamOptions{})
			if err == nil {
				s.Close()
			}
			if (c.want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestStreamDialEndsWithContext(t *testing.T) {
	near, far := net.Pipe()
	defer far.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := process.DialStream(ctx, near, process.StreamOptions{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("ended with %v", err)
	}
}

// FuzzStreamAgent feeds an agent what strangers may send.
func FuzzStreamAgent(f *testing.F) {
	hello := fmt.Sprintf("gsyncd-host-client %d x\n", process.Version)
	f.Add([]byte(""))
	f.Add([]byte(hello))
	f.Add([]byte(hello + "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00"))
	f.Add([]byte("gsyncd-host-client 999999999999999999999 x\n"))
	f.Fuzz(func(t *testing.T, sent []byte) {
		near, ended := serveStream(t, 0)
		go io.Copy(io.Discard, near)
		near.SetWriteDeadline(time.Now().Add(time.Second))
		near.Write(sent) // the agent may hang up before the end
		near.Close()
		awaitEnd(t, ended)
	})
}
