package main

import (
	"context"
	"flag"
	"fmt"
	"syscall"
	"testing"
	"time"
)

var (
	crashTime = flag.Duration("crash.time", 12*time.Second, "how long things are killed under load")
	crashSeed = flag.Uint64("crash.seed", 0, "seed of the crash test; 0: another each time")
)

// TestKilledUnderLoad kills the program and everything that it starts, again and
// again, while the primary changes. Nobody may ever see half a file, and in the
// end one run makes the trees equal.
func TestKilledUnderLoad(t *testing.T) {
	t.Parallel()
	pl := newPlace(t)
	c := newCrash(t, pl, *crashTime)
	c.config = func(body string) string { return pl.config(t, body) }
	c.ended = func() { pl.noProcess(t) } // all the others end with the host
	c.add("primary's plugin", pluginProc("file", pl.p))
	c.add("secondary's plugin", pluginProc("file", pl.s))
	c.add("rsync's plugin", pluginProc("rsync", ""))
	c.add("rsync", rsyncProgram)
	c.start()
	c.load()

	// Nothing changes any more: the running program catches up by itself.
	c.h.until("in sync after all", func() bool { return pl.inSync(t) })
	c.h.stop(syscall.SIGTERM)
	pl.noProcess(t)
	// What killed plugins left outside of the trees the next start removes.
	pl.once(t, pl.p, pl.s)
	pl.clean(t)
	if !pl.inSync(t) {
		t.Error("the trees differ in the end")
	}
}

// wait waits, and reports whether it was not cut short.
func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// TestPluginDies kills plugins of a program at rest: it says so, starts them
// anew and goes on.
func TestPluginDies(t *testing.T) {
	t.Parallel()
	pl := newPlace(t)
	pl.write(t, "a", []byte("a"))
	h := pl.start(t, "-c", pl.config(t, "retry { min = \"200ms\" }"))
	h.until("in sync", func() bool { return pl.inSync(t) && h.said(`msg="in sync"`) > 0 })
	for i, root := range []string{pl.p, pl.s} {
		var old []proc
		h.until("a plugin", func() bool {
			old = pl.find(t, pluginProc("file", root))
			return len(old) == 1
		})
		stopped, well := h.said("the mirror stopped and will be tried again"), h.said(`msg="in sync"`)
		old[0].signal(syscall.SIGKILL)
		pl.write(t, fmt.Sprintf("a%d", i), []byte("more"))
		h.until("the change arrives", func() bool { return pl.inSync(t) })
		h.until("it says so", func() bool { return h.said("the mirror stopped and will be tried again") > stopped })
		h.until("it says that all is well", func() bool { return h.said(`msg="in sync"`) > well })
	}
	h.stop(syscall.SIGTERM)
	pl.clean(t)
}
