package main

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
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
	seed := *crashSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("replay the choices with -crash.seed=%d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	pl := newPlace(t)

	ctx, cancel := context.WithTimeout(t.Context(), *crashTime)
	defer cancel()
	var wg sync.WaitGroup
	changes := load{root: pl.p, rng: rand.New(rand.NewPCG(seed, 2))}
	wg.Go(func() { changes.run(ctx) })
	wg.Go(func() { watch(ctx, t, pl.s) })

	h := pl.crashHost(t, rng)
	kills := map[string]int{}
	for wait(ctx, time.Duration(rng.IntN(500))*time.Millisecond) {
		h = pl.kill(t, rng, h, kills)
	}
	wg.Wait()
	t.Logf("killed: %v", kills)

	// Nothing changes any more: the running program catches up by itself.
	h.until("in sync after all", func() bool { return pl.inSync(t) })
	h.stop(syscall.SIGTERM)
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

// crashHost starts a program with one of the methods.
func (pl *place) crashHost(t *testing.T, rng *rand.Rand) *host {
	methods := []string{"stream", "auto", "rsync"}
	method := methods[rng.IntN(len(methods))]
	if _, err := os.Stat("/usr/bin/rsync"); err != nil {
		method = "stream"
	}
	body := fmt.Sprintf("transfer %q {}\n retry {\n min = \"100ms\"\n max = \"1s\"\n}\n schedule { interval = \"100ms\" }", method)
	return pl.start(t, "-c", pl.config(t, body))
}

// kill kills something, and returns the program that then runs.
func (pl *place) kill(t *testing.T, rng *rand.Rand, h *host, kills map[string]int) *host {
	victims := []struct {
		name string
		is   func(proc) bool
	}{
		{"host", func(p proc) bool { return p.pid == h.cmd.Process.Pid }},
		{"primary's plugin", pluginProc("file", pl.p)},
		{"secondary's plugin", pluginProc("file", pl.s)},
		{"rsync's plugin", pluginProc("rsync", "")},
		{"rsync", rsyncProgram},
	}
	v := victims[rng.IntN(len(victims))]
	found := pl.find(t, v.is)
	if len(found) == 0 {
		return h
	}
	kills[v.name]++
	found[rng.IntN(len(found))].signal(syscall.SIGKILL)
	if v.name == "host" {
		<-h.done
		pl.noProcess(t) // all the others end with it
		return pl.crashHost(t, rng)
	}
	select {
	case <-h.done:
		t.Fatalf("the program did not survive the end of the %s", v.name)
	default:
	}
	return h
}

// TestPluginDies kills plugins of a program at rest: it says so, starts them
// anew and goes on.
func TestPluginDies(t *testing.T) {
	t.Parallel()
	pl := newPlace(t)
	pl.write(t, "a", []byte("a"))
	h := pl.start(t, "-c", pl.config(t, "retry { min = \"200ms\" }"))
	h.until("in sync", func() bool { return pl.inSync(t) })
	for i, root := range []string{pl.p, pl.s} {
		var old []proc
		h.until("a plugin", func() bool {
			old = pl.find(t, pluginProc("file", root))
			return len(old) == 1
		})
		old[0].signal(syscall.SIGKILL)
		pl.write(t, fmt.Sprintf("a%d", i), []byte("more"))
		h.until("the change arrives", func() bool { return pl.inSync(t) })
		h.until("it says so", func() bool { return h.said("the mirror stopped and will be tried again") == i+1 })
		h.until("it says that all is well", func() bool { return h.said(`msg="in sync"`) >= i+2 })
	}
	h.stop(syscall.SIGTERM)
	pl.clean(t)
}
