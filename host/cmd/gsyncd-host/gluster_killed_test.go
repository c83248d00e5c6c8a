package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/gsyncd/gsyncd-host/plugins/gluster"
	"github.com/gsyncd/gsyncd-host/plugins/gluster/glusterlab"
)

// TestGlusterKilled kills what a mirror of two volumes consists of, one part after
// another, while there is work. It gets in sync each time, and of what was killed
// nothing is left: no process, no mount and no directory.
func TestGlusterKilled(t *testing.T) {
	t.Parallel()
	p, s := newVol(t, "killed-p", glusterlab.One, true), newVol(t, "killed-s", glusterlab.One, false)
	pl := newGlusterPlace(t, p, s)
	config := pl.glusterConfig(t, p.URL(), s.URL(), quick)
	begin := func() *host { return pl.start(t, "-c", config) }
	h := begin()
	work := func(name string) {
		t.Helper()
		pl.write(t, name+"/large", noise(uint64(len(name)), 2<<20))
		pl.write(t, name+"/d/small", []byte(name))
		check(t, os.Link(filepath.Join(pl.p, name, "large"), filepath.Join(pl.p, name, "d", "linked")))
	}
	// atWork waits until something is under way.
	atWork := func() {
		t.Helper()
		h.until("a file of the program's own is on the secondary", func() bool {
			left, err := leftovers(pl.s)
			return err != nil || len(left) > 0 || pl.inSync(t)
		})
	}
	work("first")
	pl.arrives(t, h, "the first state")
	for _, victim := range []struct {
		name string
		is   func(proc) bool
	}{
		{"plugin", pluginProc("gluster", "")},
		{"primary's mount", func(p proc) bool { return mountProc(p) && strings.Contains(strings.Join(p.args, " "), "=killed-p") }},
		{"secondary's mount", func(p proc) bool { return mountProc(p) && strings.Contains(strings.Join(p.args, " "), "=killed-s") }},
	} {
		work(victim.name)
		atWork()
		found := pl.find(t, victim.is)
		if len(found) == 0 {
			t.Fatalf("no %s", victim.name)
		}
		found[0].signal(syscall.SIGKILL)
		work(victim.name + " later")
		pl.arrives(t, h, "changes around the end of the "+victim.name)
	}

	work("host")
	atWork()
	h.stopNow()
	pl.noProcess(t)
	h = begin()
	work("host later")
	pl.arrives(t, h, "changes around the end of the host")
	h.until("each of two volumes has two mounts", func() bool { return len(p.mounts(t))+len(s.mounts(t)) == 4 })

	// All at once: there is nobody to clean up, but for the next.
	for _, victim := range pl.processes(t) {
		victim.signal(syscall.SIGKILL)
	}
	pl.noProcess(t)
	work("all")
	h = begin()
	pl.arrives(t, h, "changes after all was killed")
	h.stop(syscall.SIGTERM)
	pl.clean(t)
	p.unmounted(t)
	s.unmounted(t)
	places, err := filepath.Glob(gluster.RunDir + "/mount.*/log")
	check(t, err)
	for _, place := range places {
		text, err := os.ReadFile(place)
		if err == nil && strings.Contains(string(text), "killed-") {
			t.Errorf("left behind: %s", place)
		}
	}
}

// stopNow kills the program, and waits for its end.
func (h *host) stopNow() {
	h.t.Helper()
	check(h.t, h.cmd.Process.Kill())
	<-h.done
}
