package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestSSH mirrors to a directory behind ssh: at first, after a change, and when
// nothing changed.
func TestSSH(t *testing.T) {
	t.Parallel()
	pl := newPlace(t)
	s := newSSHD(t, pl)
	for i := range 50 {
		pl.write(t, fmt.Sprintf("d%d/f%d", i%5, i), []byte(strings.Repeat("x", i*100)))
	}
	pl.write(t, "large", make([]byte, 5<<20))
	check(t, os.Symlink("large", filepath.Join(pl.p, "link")))
	secondary := s.user + "@127.0.0.1:" + pl.s
	run := func(want string) {
		t.Helper()
		h := pl.start(t, "--once", pl.p, secondary)
		h.end(time.Minute, 0)
		if !strings.Contains(h.stdout.String(), want) {
			t.Errorf("the summary lacks %q:\n%s", want, h.stdout.String())
		}
		if !pl.inSync(t) {
			t.Error("the trees differ")
		}
		s.gone()
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
	pl := newPlace(t)
	s := newSSHD(t, pl)
	pl.write(t, "d/f", []byte("f"))
	pl.once(t, "far:"+pl.p, pl.s)
	if !pl.inSync(t) {
		t.Error("the trees differ")
	}
	s.gone()
}

// TestSSHAgentKilled kills the far agent in the middle of a transfer.
func TestSSHAgentKilled(t *testing.T) {
	t.Parallel()
	pl := newPlace(t)
	s := newSSHD(t, pl)
	for i := range 400 {
		pl.write(t, fmt.Sprintf("d%d/f%d", i%20, i), make([]byte, 100<<10))
	}
	config := pl.config(t, `limits { rate = "8MiB/s" }`+"\nretry { min = \"100ms\" }")
	text, err := os.ReadFile(config)
	check(t, err)
	check(t, os.WriteFile(config, []byte(strings.Replace(string(text), fmt.Sprintf("%q", pl.s), fmt.Sprintf("%q", s.far()), 1)), 0o600))
	h := start(t, pl.command("run", "-c", config), nil)
	var agents []proc
	h.until("the transfer is under way", func() bool {
		agents = pl.find(t, agentProc)
		staged, _ := filepath.Glob(filepath.Join(pl.s, "*", "*"))
		return len(agents) == 1 && len(staged) > 20
	})
	agents[0].signal(syscall.SIGKILL)
	h.until("the mirror begins again and ends well", func() bool {
		return h.said("the mirror stopped and will be tried again") > 0 && pl.inSync(t)
	})
	if h.said("the agent on far is gone") == 0 {
		t.Error("nobody said that the agent was gone")
	}
	h.stop(syscall.SIGTERM)
	s.gone()
}
