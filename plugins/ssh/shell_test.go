package ssh

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// newTestShell is a shell whose connection is lost for good.
func newTestShell(t *testing.T) *shell {
	t.Helper()
	temp, err := os.MkdirTemp("", "gs") //nolint:usetesting // the path of a socket must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(temp) })
	t.Setenv("TMPDIR", temp)
	s, err := newShell(
		func(context.Context) (*ssh.Session, error) { return nil, errors.New("reset by peer") },
		func(string, []string) string { return "" },
		slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestShellWithoutConnection(t *testing.T) {
	s := newTestShell(t)
	for args, says := range map[string]string{
		"--server . .gsyncd-host.job-A/out/": "reset by peer",
		"--server . out":                     "no job's directory",
		"--server . /out/":                   "no job's directory",
		"":                                   "no job's directory",
	} {
		var out, said bytes.Buffer
		code := RemoteShell(t.Context(), s.socket(), strings.Fields(args), strings.NewReader("in"), &out, &said)
		if code != exitLost || out.Len() > 0 || !strings.HasPrefix(said.String(), sdk.ShellLost) || !strings.Contains(said.String(), says) {
			t.Errorf("%q: code %d, %q, %q", args, code, out.String(), said.String())
		}
	}
	info, err := os.Stat(s.dir)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the directory has mode %v, %v", info.Mode(), err)
	}
	socket := s.socket()
	// Who says nothing does not keep it open.
	silent, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	if err := s.close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(s.dir); err == nil {
		t.Error("the directory is left")
	}
	var said bytes.Buffer
	if code := RemoteShell(t.Context(), socket, nil, strings.NewReader(""), &said, &said); code != exitLost {
		t.Errorf("code %d, %s", code, said.String())
	}
}

// TestRemoteShellBadFrames: what comes out of the socket is looked at.
func TestRemoteShellBadFrames(t *testing.T) {
	for _, frames := range []string{"", "o", "o\x00\x00\x00\x05hi", "o\xff\xff\xff\xff", "z\x00\x00\x00\x00", "x\x00\x00\x00\x02ab"} {
		l, err := net.Listen("unix", t.TempDir()+"/s")
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = c.Write([]byte(frames))
			_ = c.Close()
		}()
		var out, said bytes.Buffer
		if code := RemoteShell(t.Context(), l.Addr().String(), nil, strings.NewReader(""), &out, &said); code != exitLost || out.Len() > 0 {
			t.Errorf("%q: code %d, %q, %q", frames, code, out.String(), said.String())
		}
		_ = l.Close()
	}
}
