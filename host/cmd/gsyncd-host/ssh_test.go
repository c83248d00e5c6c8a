package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestSSH mirrors to a directory behind ssh: at first, after a change, and when
// nothing changed.
func TestSSH(t *testing.T) {
	t.Parallel()
	pl := newPlace(t)
	s := newSSHD(t, pl)
	for i := range 50 {
		pl.write(t, fmt.Sprintf("d%d/f%d", i%5, i), []byte(strings.Repeat("x", i*100)))
	}
	pl.write(t, "large", make([]byte, 5<<20))
	check(t, os.Symlink("large", filepath.Join(pl.p, "link")))
	secondary := s.user + "@127.0.0.1:" + pl.s
	run := func(want string) {
		t.Helper()
		h := pl.start(t, "--once", pl.p, secondary)
		h.end(time.Minute, 0)
		if !strings.Contains(h.stdout.String(), want) {
			t.Errorf("the summary lacks %q:\n%s", want, h.stdout.String())
		}
		if !pl.inSync(t) {
			t.Error("the trees differ")
		}
		s.gone()
	}
	run("51 files")
	pl.write(t, "d3/new", []byte("new"))
	check(t, os.RemoveAll(filepath.Join(pl.p, "d1")))
	run("1 file")
	run("in sync")
}

// TestSSHPrimary mirrors from a directory behind ssh.
func TestSSHPrimary(t *testing.T) {
	t.Parallel()
	pl := newPlace(t)
	s := newSSHD(t, pl)
	pl.write(t, "d/f", []byte("f"))
	pl.once(t, "far:"+pl.p, pl.s)
	if !pl.inSync(t) {
		t.Error("the trees differ")
	}
	s.gone()
}
