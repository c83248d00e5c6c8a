package main

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// sshMirror declares a mirror to the far side that transfers slowly enough to
// be disturbed, and begins again soon.
func (s *sshd) sshMirror() string {
	s.t.Helper()
	return s.config(`limits { rate = "8MiB/s" }` + "\nretry {\n  min = \"100ms\"\n  max = \"1s\"\n}\ndriver \"ssh\" { keepalive = \"2s\" }")
}

// config declares a mirror to the far side, whose block also has body.
func (s *sshd) config(body string) string {
	s.t.Helper()
	path := s.pl.config(s.t, body)
	text, err := os.ReadFile(path)
	check(s.t, err)
	s.file(path, strings.Replace(string(text), fmt.Sprintf("%q", s.pl.s), fmt.Sprintf("%q", s.far()), 1))
	return path
}

// underWay starts the mirror and waits until its transfer is in the middle.
func (s *sshd) underWay() *host {
	s.t.Helper()
	for i := range 400 {
		s.pl.write(s.t, fmt.Sprintf("d%d/f%d", i%20, i), make([]byte, 100<<10))
	}
	h := start(s.t, s.pl.command("run", "-c", s.sshMirror()), nil)
	h.until("the transfer is under way", func() bool {
		dirs, _ := os.ReadDir(s.pl.s + "/d0")
		return len(s.pl.find(s.t, agentProc)) == 1 && len(dirs) > 3
	})
	return h
}

// TestSSHHungLink stops the network without a word. Both ends notice, and when
// it is back the mirror goes on.
func TestSSHHungLink(t *testing.T) {
	t.Parallel()
	pl := newPlace(t)
	s := newSSHD(t, pl)
	r := newRelay(t, s.address(), 0)
	s.port = r.port()
	s.clientConfig("  UserKnownHostsFile none\n  GlobalKnownHostsFile none\n  StrictHostKeyChecking no\n  ConnectTimeout 1\n")
	h := s.underWay()
	r.hang()
	began := time.Now()
	h.until("the host notices", func() bool { return h.said("no sign of life for 2s") > 0 })
	if took := time.Since(began); took > 8*time.Second {
		t.Errorf("the host noticed after %s", took)
	}
	h.until("the far agent ends", func() bool { return len(pl.find(t, agentProc)) == 0 })
	if took := time.Since(began); took > 15*time.Second {
		t.Errorf("the far agent noticed after %s", took)
	}
	r.heal()
	h.until("the mirror goes on", func() bool { return pl.inSync(t) })
	h.stop(syscall.SIGTERM)
	s.gone()
}

// TestSSHStoppedSession stops the far server's processes.
func TestSSHStoppedSession(t *testing.T) {
	t.Parallel()
	pl := newPlace(t)
	s := newSSHD(t, pl)
	h := s.underWay()
	stopped := s.sessions()
	for _, p := range stopped {
		p.signal(syscall.SIGSTOP)
	}
	h.until("the host notices", func() bool { return h.said("no sign of life for 2s") > 0 })
	h.until("the mirror goes on without them", func() bool { return pl.inSync(t) })
	for _, p := range stopped {
		p.signal(syscall.SIGCONT)
	}
	h.stop(syscall.SIGTERM)
	s.gone()
}

// TestSSHAgentKilled kills the far agent in the middle of a transfer.
func TestSSHAgentKilled(t *testing.T) {
	t.Parallel()
	pl := newPlace(t)
	s := newSSHD(t, pl)
	h := s.underWay()
	pl.find(t, agentProc)[0].signal(syscall.SIGKILL)
	h.until("the mirror begins again and ends well", func() bool {
		return h.said("the mirror stopped and will be tried again") > 0 && pl.inSync(t)
	})
	if h.said("the agent on far is gone") == 0 {
		t.Error("nobody said that the agent was gone")
	}
	h.stop(syscall.SIGTERM)
	s.gone()
}

// TestSSHHostKilled kills the host and its plugins: the far agent ends too.
func TestSSHHostKilled(t *testing.T) {
	t.Parallel()
	pl := newPlace(t)
	s := newSSHD(t, pl)
	s.underWay()
	for _, p := range pl.processes(t) {
		if !agentProc(p) {
			p.signal(syscall.SIGKILL)
		}
	}
	poll(t, "all sessions end", func() bool { return len(s.sessions()) == 0 })
	pl.noProcess(t)
	pl.once(t, "--adopt", pl.p, s.far())
	if !pl.inSync(t) {
		t.Error("the trees differ")
	}
}
