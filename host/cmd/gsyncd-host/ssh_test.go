package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
)

// TestSSH mirrors to a directory behind ssh: at first, after a change, and when
// nothing changed.
func TestSSH(t *testing.T) {
	t.Parallel()
	pl, s := newFar(t)
	for i := range 50 {
		pl.write(t, fmt.Sprintf("d%d/f%d", i%5, i), []byte(strings.Repeat("x", i*100)))
	}
	pl.write(t, "large", make([]byte, 5<<20))
	check(t, os.Symlink("large", filepath.Join(pl.p, "link")))
	secondary := s.user + "@127.0.0.1:" + pl.s
	run := func(want string) {
		t.Helper()
		h := pl.run(t, 0, pl.p, secondary)
		if !strings.Contains(h.stdout.String(), want) {
			t.Errorf("the summary lacks %q:\n%s", want, h.stdout.String())
		}
		s.endedWell()
	}
	run("51 files")
	pl.write(t, "d3/new", []byte("new"))
	check(t, os.RemoveAll(filepath.Join(pl.p, "d1")))
	run("1 file")
	run("in sync")
}

// TestSSHPrimary mirrors from a directory behind ssh.
func TestSSHPrimary(t *testing.T) {
	t.Parallel()
	pl, s := newFar(t)
	pl.write(t, "d/f", []byte("f"))
	pl.once(t, "far:"+pl.p, pl.s)
	s.endedWell()
}

// TestSSHThroughAnother goes through one host to another, with a key that only
// the ssh agent has.
func TestSSHThroughAnother(t *testing.T) {
	t.Parallel()
	pl, s := newFar(t)
	key := filepath.Join(pl.home(), "key")
	data, err := os.ReadFile(key)
	check(t, err)
	check(t, os.Remove(key))
	private, err := ssh.ParseRawPrivateKey(data)
	check(t, err)
	ring := agent.NewKeyring()
	check(t, ring.Add(agent.AddedKey{PrivateKey: private}))
	socket := filepath.Join(pl.dir, "agent")
	l, err := net.Listen("unix", socket)
	check(t, err)
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { _ = agent.ServeAgent(ring, c) }()
		}
	}()
	s.clientConfig("Host through\n  HostName 127.0.0.1\n  Port " + s.port + "\n  User " + s.user + "\n  ProxyJump far\n")
	pl.environ = append(pl.environ, "SSH_AUTH_SOCK="+socket)
	pl.write(t, "f", []byte("f"))
	cmd := pl.command("run", "--once", "--state-dir", pl.state, pl.p, "through:"+pl.s)
	cmd.Env = pl.environ
	start(t, cmd, nil).end(patience, 0)
	s.endedWell()
}
