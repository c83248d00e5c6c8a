package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/crypto/ssh/knownhosts"
)

// TestSSHDeployedRsync has rsync find the agent that was put there.
func TestSSHDeployedRsync(t *testing.T) {
	t.Parallel()
	needRsync(t)
	pl, s := newFar(t)
	s.bare()
	pl.largeChange(t, s)
	h := pl.run(t, 0, pl.p, s.far())
	h.wants("rsync: 1 file")
	s.endedWell()
}

// TestSSHDeployedReset breaks the connection in the middle of a first run: it
// goes on with the agent that was put there. What is found in the PATH by then
// is left alone.
func TestSSHDeployedReset(t *testing.T) {
	t.Parallel()
	_, s := newFar(t)
	s.bare()
	r := s.behind(0)
	h := s.underWay("30s", "--once")
	agent := s.agent()
	s.program(olderProgram)
	r.reset()
	h.until("the connection is back", func() bool { return h.said("the connection is back") == 1 })
	if s.agent() != agent {
		t.Error("another agent serves")
	}
	h.end(patience, 0)
	if n := h.said("gsyncd-host was put on far"); n != 1 {
		t.Errorf("put there %d times", n)
	}
	s.endedWell()
}

// TestSSHDeployedThroughAnother puts the program on a machine behind another
// one, which has no part in it. Then the way there is lost.
func TestSSHDeployedThroughAnother(t *testing.T) {
	t.Parallel()
	pl, s := newFar(t)
	s.bare()
	between := newSSHD(t, newPlace(t))
	between.bare()
	known := filepath.Join(pl.home(), "known_hosts")
	text, err := os.ReadFile(known)
	check(t, err)
	s.file(known, string(text)+knownhosts.Line([]string{knownhosts.Normalize(between.address())}, between.hostKey)+"\n")
	s.clientConfig(fmt.Sprintf("  ProxyJump between\nHost between\n  HostName 127.0.0.1\n  Port %s\n  User %s\n  IdentityFile %s/key\n", between.port, between.user, between.pl.home()))

	h := s.underWay("30s", "--once")
	agent := s.agent()
	if n := h.said("gsyncd-host was put on far at " + pl.dir + "/.cache/gsyncd-host/agent/"); n != 1 {
		t.Errorf("put there %d times", n)
	}
	hops := between.sessions()
	if len(hops) == 0 {
		t.Error("nobody is logged in on the machine in between")
	}
	for _, p := range hops {
		p.signal(syscall.SIGKILL)
	}
	h.until("the connection is back", func() bool { return h.said("the connection is back") == 1 })
	if s.agent() != agent {
		t.Error("another agent serves")
	}
	h.end(patience, 0)
	if !pl.inSync(t) {
		t.Error("the trees differ")
	}
	if there := between.putThere(); len(there) > 0 || strings.Contains(h.stderr.String(), "put on between") {
		t.Errorf("on the machine in between: %q", there)
	}
	s.gone()
	between.gone()
}
