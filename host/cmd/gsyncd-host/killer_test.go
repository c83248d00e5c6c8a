package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"
)

// crash kills things at random moments while the primary changes.
type crash struct {
	t       *testing.T
	pl      *place
	time    time.Duration // of one load
	pause   time.Duration // between two kills, at most
	rng     *rand.Rand
	changes load
	victims []victim
	config  func(body string) string // writes the mirror's configuration
	ended   func()                   // waits for the end of what ends with the host
	h       *host                    // the program that runs
}

// victim is what may be killed.
type victim struct {
	name string
	find func() []proc
}

// newCrash is ready to kill the host.
func newCrash(t *testing.T, pl *place, d time.Duration) *crash {
	t.Helper()
	seed := *crashSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("replay the choices with -crash.seed=%d", seed)
	c := &crash{
		t: t, pl: pl, time: d, pause: 500 * time.Millisecond,
		rng: rand.New(rand.NewPCG(seed, 1)), changes: load{root: pl.p, rng: rand.New(rand.NewPCG(seed, 2)), pace: 2 * time.Millisecond},
	}
	c.victims = []victim{{"host", func() []proc { return []proc{{pid: c.h.cmd.Process.Pid}} }}}
	return c
}

// add has processes killed too.
func (c *crash) add(name string, is func(proc) bool) {
	c.victims = append(c.victims, victim{name, func() []proc { return c.pl.find(c.t, is) }})
}

// start starts a program with one of the methods.
func (c *crash) start() {
	c.t.Helper()
	methods := []string{"stream", "auto", "rsync"}
	method := methods[c.rng.IntN(len(methods))]
	if _, err := os.Stat("/usr/bin/rsync"); err != nil {
		method = "stream"
	}
	body := fmt.Sprintf("transfer %q {}\n retry {\n min = \"100ms\"\n max = \"1s\"\n}\n schedule { interval = \"100ms\" }", method)
	c.h = start(c.t, c.pl.command("run", "--state-dir", c.pl.state, "-c", c.config(body)), nil)
}

// load changes the primary, looks at the secondary, and kills, for a while.
func (c *crash) load() {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), c.time)
	defer cancel()
	var wg sync.WaitGroup
	wg.Go(func() { c.changes.run(ctx) })
	wg.Go(func() { watch(ctx, c.t, c.pl.s) })
	kills := map[string]int{}
	for wait(ctx, time.Duration(c.rng.Int64N(int64(c.pause)))) {
		c.kill(c.victims[c.rng.IntN(len(c.victims))], kills)
	}
	wg.Wait()
	c.t.Logf("killed: %v", kills)
}

// kill kills one victim of a kind.
func (c *crash) kill(v victim, kills map[string]int) {
	c.t.Helper()
	found := v.find()
	if len(found) == 0 {
		return
	}
	kills[v.name]++
	found[c.rng.IntN(len(found))].signal(syscall.SIGKILL)
	if v.name == "host" {
		<-c.h.done
		c.ended()
		c.start()
		return
	}
	select {
	case <-c.h.done:
		c.t.Fatalf("the program did not survive the end of the %s", v.name)
	default:
	}
}
