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

// sshMirror declares a mirror to the far side that transfers slowly enough to
// be disturbed, and begins again soon.
func (s *sshd) sshMirror(keepalive string) string {
	s.t.Helper()
	return s.config(`limits { rate = "8MiB/s" }` + "\nretry {\n  min = \"100ms\"\n  max = \"1s\"\n}\ndriver \"ssh\" { keepalive = \"" + keepalive + "\" }")
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
func (s *sshd) underWay(keepalive string, args ...string) *host {
	s.t.Helper()
	for i := range 400 {
		s.pl.write(s.t, fmt.Sprintf("d%d/f%d", i%20, i), make([]byte, 100<<10))
	}
	h := start(s.t, s.pl.command(append([]string{"run", "-c", s.sshMirror(keepalive)}, args...)...), nil)
	h.until("the transfer is under way", func() bool {
		dirs, _ := os.ReadDir(s.pl.s + "/d0")
		return len(s.pl.find(s.t, agentProc)) == 1 && len(dirs) > 3
	})
	return h
}

// agent is the one far agent.
func (s *sshd) agent() int {
	s.t.Helper()
	found := s.pl.find(s.t, func(p proc) bool { return agentProc(p) && p.args[2] != "--resume" })
	if len(found) != 1 {
		s.t.Fatalf("%d far agents", len(found))
	}
	return found[0].pid
}

// TestSSHReset breaks the connections in the middle of a first run, which ends
// well with the agent that it began with.
func TestSSHReset(t *testing.T) {
	t.Parallel()
	_, s := newFar(t)
	r := s.behind(0)
	h := s.underWay("30s", "--once")
	agent := s.agent()
	for i := range 2 {
		r.reset()
		h.until("the connection is back", func() bool { return h.said("the connection is back") == i+1 })
		if s.agent() != agent {
			t.Error("another agent serves")
		}
	}
	h.end(patience, 0)
	if n := h.said("the connection was lost"); n != 2 {
		t.Errorf("said %d times that the connection was lost", n)
	}
	s.endedWell()
}

// TestSSHHungLink stops the network without a word, and lets it go on. The
// session does, too.
func TestSSHHungLink(t *testing.T) {
	t.Parallel()
	_, s := newFar(t)
	r := s.behind(0)
	h := s.underWay("30s", "--once")
	agent := s.agent()
	r.hang()
	h.until("the host notices", func() bool { return h.said("no sign of life for 10s") > 0 })
	r.heal() // long before both ends give up
	h.until("the connection is back", func() bool { return h.said("the connection is back") > 0 })
	if s.agent() != agent {
		t.Error("another agent serves")
	}
	h.end(patience, 0)
	s.endedWell()
}

// TestSSHDeadLink stops the network for longer than a session lasts. Both ends
// give up, and when it is back the mirror begins again.
func TestSSHDeadLink(t *testing.T) {
	t.Parallel()
	pl, s := newFar(t)
	r := s.behind(0)
	h := s.underWay("3s")
	r.hang()
	began := time.Now()
	h.until("the host gives up", func() bool { return h.said("there was no other within 3s") > 0 })
	h.until("the far agent ends", func() bool { return len(pl.find(t, agentProc)) == 0 })
	if took := time.Since(began); took > time.Minute {
		t.Errorf("the host and the far agent gave up after %s", took)
	}
	r.heal()
	h.until("the mirror goes on", func() bool { return pl.inSync(t) })
	h.stop(syscall.SIGTERM)
	s.gone()
}

// TestSSHStoppedSession stops the far server's processes: the session goes on
// through others.
func TestSSHStoppedSession(t *testing.T) {
	t.Parallel()
	pl, s := newFar(t)
	h := s.underWay("30s")
	agent := s.agent()
	stopped := s.sessions()
	for _, p := range stopped {
		p.signal(syscall.SIGSTOP)
	}
	h.until("the mirror goes on without them", func() bool { return h.said("the connection is back") > 0 && pl.inSync(t) })
	if s.agent() != agent {
		t.Error("another agent serves")
	}
	for _, p := range stopped {
		p.signal(syscall.SIGCONT)
	}
	h.stop(syscall.SIGTERM)
	s.gone()
}

// TestSSHAgentKilled kills the far agent in the middle of a transfer.
func TestSSHAgentKilled(t *testing.T) {
	t.Parallel()
	pl, s := newFar(t)
	h := s.underWay("60s")
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

// TestSSHAgentKilledUnseen kills the far agent while the connection is lost.
func TestSSHAgentKilledUnseen(t *testing.T) {
	t.Parallel()
	pl, s := newFar(t)
	r := s.behind(0)
	h := s.underWay("60s")
	agent := proc{pid: s.agent()}
	r.hang() // or its end would be told
	agent.signal(syscall.SIGKILL)
	r.reset()
	r.heal()
	h.until("the mirror begins again and ends well", func() bool {
		return h.said("the agent has ended, or the machine was started anew") > 0 && pl.inSync(t)
	})
	h.stop(syscall.SIGTERM)
	s.gone()
}

// TestSSHHostKilled kills the host and its plugins: the agent waits for them, but
// not when another one wants its place.
func TestSSHHostKilled(t *testing.T) {
	t.Parallel()
	pl, s := newFar(t)
	s.underWay("60s")
	for _, p := range pl.processes(t) {
		if !agentProc(p) {
			p.signal(syscall.SIGKILL)
		}
	}
	poll(t, "they end", func() bool {
		return len(pl.find(t, func(p proc) bool { return !agentProc(p) })) == 0
	})
	began := time.Now()
	pl.once(t, "--adopt", pl.p, s.far())
	if took := time.Since(began); took > 45*time.Second { // it waits for a minute where nobody wants its place
		t.Errorf("the next run took %s", took)
	}
	s.endedWell()
}

// TestSSHHostStopped stops the host and its plugins in the middle: one with
// another state directory gets their place, if only after a while.
func TestSSHHostStopped(t *testing.T) {
	t.Parallel()
	pl, s := newFar(t)
	h := s.underWay("60s")
	var stopped []proc
	for _, p := range pl.processes(t) {
		if !agentProc(p) {
			p.signal(syscall.SIGSTOP)
			stopped = append(stopped, p)
		}
	}
	began := time.Now()
	other := filepath.Join(pl.dir, "other")
	start(t, pl.command("run", "--once", "--state-dir", other, "--adopt", pl.p, s.far()), nil).end(patience, 0)
	if took := time.Since(began); took > 50*time.Second {
		t.Errorf("the next run took %s", took)
	}
	if !pl.inSync(t) {
		t.Error("the trees differ")
	}
	for _, p := range stopped {
		p.signal(syscall.SIGCONT)
	}
	h.until("the first one notices", func() bool { return h.said("the agent on far is gone") > 0 })
	h.stop(syscall.SIGTERM)
	s.gone()
}
