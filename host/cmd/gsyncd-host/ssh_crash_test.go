package main

import (
	"syscall"
	"testing"
	"time"
)

// TestSSHKilledUnderLoad kills the program, the far agent and what carries the
// connection between them, again and again, while the primary changes. Now and
// then the changes pause, and a new program begins on what the last one left:
// when it says for the first time that the sides are in sync, they are, so no
// mark that was set before kept it from looking.
func TestSSHKilledUnderLoad(t *testing.T) {
	t.Parallel()
	const rounds = 3
	pl, s := newFar(t)
	c := newCrash(t, pl, *crashTime/rounds)
	c.pause = time.Second // a login takes a while
	c.config = func(body string) string { return s.config(body + "\n driver \"ssh\" { keepalive = \"12s\" }") }
	// The agent waits for its client, or for somebody who wants its place.
	local := func(p proc) bool {
		return pluginProc("file", "")(p) || pluginProc("ssh", "")(p) || pluginProc("rsync", "")(p)
	}
	c.ended = func() {
		poll(t, "the host's plugins end", func() bool { return len(pl.find(t, local)) == 0 })
	}
	c.add("primary's plugin", pluginProc("file", pl.p))
	c.add("ssh plugin", pluginProc("ssh", ""))
	c.add("far agent", agentProc)
	c.add("rsync", rsyncProgram)
	c.victims = append(c.victims, victim{"sshd", s.sessions}, victim{"sshd", s.sessions})
	c.start()
	for range rounds {
		c.load()
		c.kill(c.victims[0], map[string]int{})
		c.h.until("it says that it is in sync", func() bool { return c.h.said(`msg="in sync"`) > 0 })
		if !pl.inSync(t) {
			t.Fatal("it says that the sides are in sync, and they are not")
		}
	}
	c.h.stop(syscall.SIGTERM)
	s.gone()
}
