package main

import (
	"syscall"
	"testing"
	"time"

	"github.com/gsyncd/gsyncd-host/plugins/gluster/glusterlab"
)

// TestGlusterKilledUnderLoad kills the program, the plugins and what does the
// mounting for them, again and again, while the primary changes: once with a
// volume as the primary, and once with one as the secondary. As in the same test
// with ssh, a new program that says for the first time that the sides are in sync
// must be right.
func TestGlusterKilledUnderLoad(t *testing.T) {
	t.Parallel()
	for _, primary := range []bool{true, false} {
		t.Run(map[bool]string{true: "primary", false: "secondary"}[primary], func(t *testing.T) {
			t.Parallel()
			const rounds = 3
			v := newVol(t, map[bool]string{true: "crash-p", false: "crash-s"}[primary], glusterlab.Dist2, primary)
			var pl *place
			var p, s string
			if primary {
				pl = newGlusterPlace(t, v, nil)
				p, s = v.URL(), pl.s
			} else {
				pl = newGlusterPlace(t, nil, v)
				p, s = pl.p, v.URL()
			}
			c := newCrash(t, pl, *crashTime/rounds)
			c.pause = 2 * time.Second // a mount takes a while
			c.changes.pace = 10 * time.Millisecond
			c.config = func(body string) string { return pl.glusterConfig(t, p, s, body) }
			c.ended = func() { pl.noProcess(t) }
			c.add("gluster plugin", pluginProc("gluster", ""))
			c.add("file plugin", pluginProc("file", ""))
			c.add("mount", mountProc)
			c.add("rsync", rsyncProgram)
			c.start()
			for range rounds {
				c.load()
				c.kill(c.victims[0], map[string]int{})
				began := time.Now()
				poll(t, "it says that it is in sync", func() bool { return c.h.said(`msg="in sync"`) > 0 })
				t.Logf("in sync after %v", time.Since(began))
				if !pl.inSync(t) {
					t.Fatal("it says that the sides are in sync, and they are not")
				}
			}
			c.h.stop(syscall.SIGTERM)
			pl.clean(t)
			v.unmounted(t)
		})
	}
}
