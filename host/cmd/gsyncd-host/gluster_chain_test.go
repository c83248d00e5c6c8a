package main

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/gsyncd/gsyncd-host/plugins/gluster/glusterlab"
)

// chainConfig writes a configuration with mirrors "m0", "m1" of pairs of URLs.
func (pl *place) chainConfig(t *testing.T, pairs ...[2]string) string {
	t.Helper()
	text := fmt.Sprintf("host {\n  state_dir = %q\n}\n", pl.state)
	for i, p := range pairs {
		text += fmt.Sprintf("mirror \"m%d\" {\n  primary = %q\n  secondary = %q\n%s}\n", i, p[0], p[1], quick)
	}
	path := filepath.Join(pl.dir, "chain.hcl")
	check(t, os.WriteFile(path, []byte(text), 0o644))
	return path
}

const (
	ownMark   = "trusted.glusterfs.volume-mark"
	knownHere = "user.gsyncd-host.volumes" // by the name of the attribute
)

// becomesSecondary marks a volume as the secondary of a volume, as a mirror does.
func becomesSecondary(t *testing.T, v *vol, of string, state byte, until time.Time) {
	t.Helper()
	aux := v.MountAux(t)
	raw, err := hex.DecodeString(strings.ReplaceAll(of, "-", ""))
	check(t, err)
	b := append([]byte{1, 0}, raw...)
	b = append(b, state, 0x50, 0, 0, 0, 0, 0, 0, 0)
	check(t, unix.Setxattr(aux, ownMark+"."+of, binary.BigEndian.AppendUint32(b, uint32(until.Unix())), 0))
	list := make([]byte, 4096)
	n, err := unix.Getxattr(aux, knownHere, list)
	if err != nil {
		n = 0
	}
	check(t, unix.Setxattr(aux, knownHere, []byte(strings.TrimSpace(string(list[:n])+" "+of)), 0))
}

const noVolume = "00112233-4455-6677-8899-aabbccddeeff"

// TestGlusterChain mirrors a volume to a second, and that to a third, which
// started before the first mirror. All that people do to the first volume must
// come to the end.
func TestGlusterChain(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		pop, yow, moz glusterlab.Layout
		together      int // operations that arrive as one
	}{
		{glusterlab.One, glusterlab.Dist2, glusterlab.One, 1},
		{glusterlab.Dist2, glusterlab.Rep2, glusterlab.Disp3, 4},
	} {
		t.Run(c.yow.String(), func(t *testing.T) {
			t.Parallel()
			kind := c.yow.String()
			pop, yow, moz := newVol(t, "pop-"+kind, c.pop, true), newVol(t, "yow-"+kind, c.yow, true), newVol(t, "moz-"+kind, c.moz, false)
			up, down := newGlusterPlace(t, pop, yow), newGlusterPlace(t, yow, moz)
			ends := *down
			ends.p = pop.dir
			up.write(t, "there/before", []byte("the mirror"))
			becomesSecondary(t, yow, pop.UUID(), 0, time.Now().Add(10*time.Minute))
			first, second := [2]string{pop.URL(), yow.URL()}, [2]string{yow.URL(), moz.URL()}
			h2 := down.start(t, "-c", down.chainConfig(t, second))
			waits := "waits for its upstream, the volume " + pop.UUID()
			h2.until("it waits", func() bool { return h2.said(waits) > 0 })
			h1 := up.start(t, "-c", up.chainConfig(t, first))
			ends.arrives(t, h2, "the first state")
			if n := h2.said(waits); n > 1+h2.said("will be tried again") {
				t.Errorf("waiting was said %d times", n)
			}
			operate(t, pop.dir, c.together, func(what string) {
				began := time.Now()
				up.arrives(t, h1, what+", at the second volume")
				half := time.Since(began)
				ends.arrives(t, h2, what+", at the third")
				t.Logf("%s: %v, %v", what, half.Round(time.Millisecond), time.Since(began).Round(time.Millisecond))
			})
			h1.stop(syscall.SIGTERM)
			h2.stop(syscall.SIGTERM)
			up.clean(t)
			down.clean(t)

			both := newGlusterPlace(t, pop, moz)
			h := both.start(t, "-c", both.chainConfig(t, first, second))
			both.write(t, "both/in one file", []byte("declared"))
			both.arrives(t, h, "a change while both run in one process")
			check(t, os.Rename(filepath.Join(pop.dir, "both"), filepath.Join(pop.dir, "d", "moved here")))
			both.arrives(t, h, "a directory moved")
			h.stop(syscall.SIGTERM)
			// Its change time is not moved by that, and was long ago for either mirror.
			check(t, unix.Setxattr(filepath.Join(pop.dir, "logs"), "user.later", []byte("x"), 0))
			h = both.start(t, "-c", both.chainConfig(t, first, second))
			both.arrives(t, h, "an attribute of a directory, set while nobody ran")
			h.stop(syscall.SIGTERM)
			both.clean(t)
			for _, v := range []*vol{pop, yow, moz} {
				v.unmounted(t)
			}
		})
	}
}

// done gives what a mirror did, by the summary of a program that ran with --json.
func (h *host) summary() (files, bytes, visited int64) {
	h.t.Helper()
	for line := range strings.Lines(h.stdout.String()) {
		var s struct {
			Done struct{ Files, Bytes, Visited, Deletes int64 }
		}
		check(h.t, json.Unmarshal([]byte(line), &s))
		files, bytes, visited = files+s.Done.Files, bytes+s.Done.Bytes, visited+s.Done.Visited
	}
	return files, bytes, visited
}

// TestGlusterChainIndexReset begins the index of the first volume anew, which
// must cost a comparison in each mirror and bring nothing again.
func TestGlusterChainIndexReset(t *testing.T) {
	t.Parallel()
	pop, yow, moz := newVol(t, "ipop", glusterlab.One, true), newVol(t, "iyow", glusterlab.One, true), newVol(t, "imoz", glusterlab.One, false)
	pl := newGlusterPlace(t, pop, moz)
	for i := range 40 {
		pl.write(t, fmt.Sprintf("d%d/f%d", i%5, i), []byte(strings.Repeat("x", 1000+i)))
	}
	first, second := [2]string{pop.URL(), yow.URL()}, [2]string{yow.URL(), moz.URL()}
	start := func() *host { return pl.start(t, "--json", "-c", pl.chainConfig(t, first, second)) }
	h := start()
	pl.arrives(t, h, "the first state")
	h.stop(syscall.SIGTERM)
	files, bytes, _ := h.summary()
	if files != 80 || bytes < 80000 {
		t.Errorf("first: %d files of %d bytes", files, bytes)
	}
	h = start()
	pl.replace(t, "before", []byte("1"))
	pl.arrives(t, h, "a change before")
	pop.Index(t, false)
	pop.Index(t, true)
	pl.replace(t, "d1/after", []byte("2"))
	pl.arrives(t, h, "a change after")
	pl.replace(t, "d2/last", []byte("3"))
	pl.arrives(t, h, "a further one")
	h.stop(syscall.SIGTERM)
	files, bytes, visited := h.summary()
	t.Logf("after the reset: %d files, %d bytes, %d directories entered\n%s", files, bytes, visited, h.stderr.String())
	if files != 6 || bytes != 6 {
		t.Errorf("%d files of %d bytes were sent", files, bytes)
	}
}

// TestGlusterChainUpstreams goes through what can be wrong with whose secondary
// the primary is.
func TestGlusterChainUpstreams(t *testing.T) {
	t.Parallel()
	pop, yow := newVol(t, "upop", glusterlab.One, true), newVol(t, "uyow", glusterlab.One, true)
	moz := newVol(t, "umoz", glusterlab.One, false)
	pl := newGlusterPlace(t, yow, moz)
	pl.write(t, "f", []byte("f"))
	config := pl.chainConfig(t, [2]string{yow.URL(), moz.URL()})
	says := func(want string) {
		t.Helper()
		h := pl.run(t, 1, "-c", config)
		if out := h.stdout.String() + h.stderr.String(); !strings.Contains(out, want) {
			t.Errorf("not said: %s", want)
		} else {
			t.Log(out)
		}
	}
	soon := time.Now().Add(5 * time.Minute)
	becomesSecondary(t, yow, noVolume, 1, soon)
	says("of the volume " + noVolume + ", a volume mark in state 1")
	becomesSecondary(t, yow, noVolume, 0, soon)
	becomesSecondary(t, yow, pop.UUID(), 0, soon)
	says("is the secondary of two volumes, " + noVolume + " and " + pop.UUID())
	becomesSecondary(t, yow, pop.UUID(), 0, time.Now().Add(-time.Second))
	says("waits for its upstream, the volume " + noVolume)

	// It has brought everything, and is gone then.
	check(t, unix.Setxattr(yow.MountAux(t), "trusted.glusterfs."+noVolume+".xtime", []byte{80, 0, 0, 0, 0, 0, 0, 1}, 0))
	becomesSecondary(t, yow, noVolume, 0, soon)
	h := pl.start(t, "-c", config)
	pl.arrives(t, h, "what the upstream brought")
	becomesSecondary(t, yow, noVolume, 0, time.Now().Add(time.Second))
	h.until("it says that the upstream is gone", func() bool {
		return h.said("has ended: its own xtimes count from now on") == 1
	})
	pl.write(t, "own", []byte("own"))
	pl.arrives(t, h, "a change of its own")
	becomesSecondary(t, yow, noVolume, 0, soon)
	pl.write(t, "one more", []byte("to have it look"))
	h.until("it says that it is a secondary again", func() bool { return h.said("has become the secondary of the volume "+noVolume) == 1 })
	pl.arrives(t, h, "what came meanwhile")
	h.stop(syscall.SIGTERM)
	pl.clean(t)
}

// TestGlusterChainAnew deletes the first volume and makes it anew: nothing is
// removed anywhere.
func TestGlusterChainAnew(t *testing.T) {
	t.Parallel()
	pop, yow, moz := newVol(t, "apop", glusterlab.One, true), newVol(t, "ayow", glusterlab.One, true), newVol(t, "amoz", glusterlab.One, false)
	pl := newGlusterPlace(t, pop, moz)
	pl.write(t, "d/f", []byte("f"))
	first, second := [2]string{pop.URL(), yow.URL()}, [2]string{yow.URL(), moz.URL()}
	config := pl.chainConfig(t, first, second)
	h := pl.start(t, "-c", config)
	pl.arrives(t, h, "the first state")
	h.stop(syscall.SIGTERM)
	old := pop.UUID()
	check(t, unix.Unmount(pop.dir, 0))
	pop.Delete(t)
	anew := labFor(t).Volume(t, "apop", glusterlab.One)
	anew.Index(t, true)
	h = pl.start(t, "-c", config)
	want := "it was the volume " + old + " and is the volume " + anew.UUID()
	h.until(want, func() bool { return h.said(want) > 0 })
	h.stop(syscall.SIGTERM)
	t.Log(h.stderr.String())
	for _, dir := range []string{yow.dir, moz.dir} {
		if b, err := os.ReadFile(filepath.Join(dir, "d/f")); err != nil || string(b) != "f" {
			t.Errorf("%s: %q, %v", dir, b, err)
		}
	}
}

// TestGlusterChainFromTree mirrors a directory to a volume, and that to another:
// the first mirror leaves no xtimes, so what it writes must be marked as that of
// others.
func TestGlusterChainFromTree(t *testing.T) {
	t.Parallel()
	yow, moz := newVol(t, "tyow", glusterlab.Dist2, true), newVol(t, "tmoz", glusterlab.One, false)
	pl := newGlusterPlace(t, nil, moz)
	pl.write(t, "f", []byte("f"))
	h := pl.start(t, "-c", pl.chainConfig(t, [2]string{pl.p, yow.URL()}, [2]string{yow.URL(), moz.URL()}))
	operate(t, pl.p, 4, func(what string) { pl.arrives(t, h, what) })
	h.stop(syscall.SIGTERM)
	pl.clean(t)
}
