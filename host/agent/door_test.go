package agent_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gsyncd/gsyncd-host/host/agent"
	"github.com/gsyncd/gsyncd-host/sdk"
)

// shortDir is a directory whose name leaves room for a socket's.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "door") //nolint:usetesting // its name is too long
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

type word struct {
	Verb string `json:"verb,omitempty"`
	Text string `json:"text,omitempty"`
}

func echo(_ context.Context, request []byte, conn *net.UnixConn, answer func(any) error) error {
	defer conn.Close()
	var w word
	if err := json.Unmarshal(request, &w); err != nil {
		return err
	}
	if err := answer(word{Text: w.Text + "!"}); err != nil {
		return err
	}
	_, err := io.Copy(conn, conn)
	return err
}

func TestDoor(t *testing.T) {
	dir, token := shortDir(t), agent.NewToken()
	dead := filepath.Join(dir, agent.NewToken())
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: dead, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
	d, err := agent.OpenDoor(dir, token, map[string]agent.Verb{
		"echo": echo,
		"no": func(context.Context, []byte, *net.UnixConn, func(any) error) error {
			return &sdk.Error{Kind: sdk.KindBusy, Op: "x", Msg: "not now"}
		},
	}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if found, err := agent.Sessions(dir); err != nil || len(found) != 1 || found[0] != token {
		t.Errorf("sessions %v, %v", found, err)
	}
	var got word
	c, err := agent.Knock(t.Context(), dir, token, word{Verb: "echo", Text: "hello"}, &got)
	if err != nil {
		t.Fatal(err)
	}
	if got.Text != "hello!" {
		t.Errorf("answer %v", got)
	}
	io.WriteString(c, "abc")
	c.CloseWrite()
	if b, err := io.ReadAll(c); string(b) != "abc" || err != nil {
		t.Errorf("%q, %v", b, err)
	}
	c.Close()
	for verb, want := range map[string]sdk.Kind{"no": sdk.KindBusy, "what": sdk.KindUnsupported} {
		if _, err := agent.Knock(t.Context(), dir, token, word{Verb: verb}, &got); sdk.KindOf(err) != want {
			t.Errorf("%s: %v", verb, err)
		}
	}
	if _, err := agent.Knock(t.Context(), dir, token, strings.Repeat("x", 100<<10), &got); err == nil {
		t.Error("an endless request was answered")
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	if _, err := agent.Knock(t.Context(), dir, token, word{Verb: "echo"}, &got); sdk.KindOf(err) != sdk.KindNotExist {
		t.Errorf("a closed door: %v", err)
	}
	if _, err := agent.Knock(t.Context(), dir, "../"+token[3:], word{Verb: "echo"}, &got); sdk.KindOf(err) != sdk.KindInput {
		t.Errorf("a path for a token: %v", err)
	}
}

func TestRuntimeDir(t *testing.T) {
	xdg := shortDir(t)
	dir, err := agent.RuntimeDir(xdg)
	if err != nil || dir != filepath.Join(xdg, "gsyncd-host") {
		t.Fatalf("%s, %v", dir, err)
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", info, err)
	}
	if err := errors.Join(os.Remove(dir), os.Symlink("/tmp", dir)); err != nil {
		t.Fatal(err)
	}
	if _, err := agent.RuntimeDir(xdg); err == nil || !strings.Contains(err.Error(), "not a directory of this user's") {
		t.Errorf("a link: %v", err)
	}
}
