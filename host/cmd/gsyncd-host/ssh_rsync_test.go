package main

import (
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"
	"time"
)

// noise gives bytes that cannot be made smaller.
func noise(seed uint64, n int) []byte {
	r := rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // for a test
	out := make([]byte, n)
	for i := 0; i+8 <= n; i += 8 {
		v := r.Uint64()
		for k := range 8 {
			out[i+k] = byte(v >> (8 * k))
		}
	}
	return out
}

// largeChange mirrors a large file, and then changes some pages of it.
func (pl *place) largeChange(t *testing.T, s *sshd) {
	t.Helper()
	const size = 40 << 20
	data := noise(1, size)
	pl.write(t, "d/large", data)
	pl.write(t, "d/small", []byte("small"))
	pl.once(t, pl.p, s.far())
	for at := 0; at < size; at += size / 100 {
		copy(data[at&^4095:], noise(uint64(at)+2, 4096))
	}
	pl.write(t, "d/large", data)
}

// TestSSHRsync: a large changed file crosses as differences.
func TestSSHRsync(t *testing.T) {
	t.Parallel()
	needRsync(t)
	pl, s := newFar(t)
	relay := s.behind(0)
	pl.largeChange(t, s)
	opened, before := relay.count()
	h := pl.run(t, 0, pl.p, s.far())
	if out := h.stdout.String(); !strings.Contains(out, "rsync") {
		t.Errorf("the summary does not tell of rsync:\n%s", out)
	}
	if !pl.inSync(t) {
		a, _ := describe(pl.p)
		b, _ := describe(pl.s)
		t.Error("the trees differ", a, b)
	}
	// 101 pages changed. In rsync's own blocks, of 6 KiB and more, they would be
	// some 100 KiB more.
	again, after := relay.count()
	if most := int64(101*4096 + 300<<10); after-before > most {
		t.Errorf("%d bytes crossed, more than %d", after-before, most)
	}
	if again != opened+1 {
		t.Errorf("%d connections for one run", again-opened)
	}
	s.gone()
}

// TestSSHNoFarRsync: where the far user has no rsync, files are streamed, which
// is said once.
func TestSSHNoFarRsync(t *testing.T) {
	t.Parallel()
	needRsync(t)
	pl, s := newFar(t)
	pl.largeChange(t, s)
	s.program("#!/bin/bash\nPATH=/nowhere\n" + s.wrapper())
	h := pl.run(t, 0, pl.p, s.far())
	if out := h.stdout.String(); !strings.Contains(out, "stream") || !strings.Contains(out, "fell back") {
		t.Errorf("the summary does not tell of the stream:\n%s", out)
	}
	if n := h.said("files are streamed from now on"); n != 1 {
		t.Errorf("it is said %d times", n)
	}
	if !strings.Contains(h.stderr.String(), "no program rsync") {
		t.Error("the reason is not said")
	}
	s.endedWell()
}

// TestSSHRsyncCut: the connection ends while rsync is at work, and rsync goes on
// with the next.
func TestSSHRsyncCut(t *testing.T) {
	t.Parallel()
	needRsync(t)
	pl, s := newFar(t)
	pl.largeChange(t, s)
	s.behind(50 * time.Millisecond) // so that it takes a while
	h := pl.start(t, "--once", pl.p, s.far())
	h.until("rsync is at work at the far end", func() bool {
		return len(pl.find(t, func(p proc) bool { return rsyncProgram(p) && len(p.args) > 1 && p.args[1] == "--server" })) > 0
	})
	for _, p := range s.sessions() {
		p.signal(syscall.SIGKILL)
	}
	h.end(patience, 0)
	if out := h.stdout.String(); !strings.Contains(out, "rsync: 1 file") {
		t.Errorf("the summary does not tell of rsync:\n%s", out)
	}
	s.endedWell()
}
