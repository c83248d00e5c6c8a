package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestMountedTwice: a side that is part of the other by a mount alone is refused before
// anything is changed. A primary would grow for ever, or be emptied.
func TestMountedTwice(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED, NOT TESTED: needs root")
	}
	for _, c := range []struct{ from, at, p, s, said string }{
		{"p/d", "s", "p", "s", "the secondary lies inside the primary"},
		{"p", "s", "p", "s", "primary and secondary are the same"},
		{"s/d", "p", "p", "s", "the primary lies inside the secondary"},
		{"p", "s", "p", "s/new", "the secondary lies inside the primary"},
	} {
		pl := newPlace(t)
		for _, dir := range []string{"p/d", "s/d"} {
			if err := os.MkdirAll(filepath.Join(pl.dir, dir), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		from, at := filepath.Join(pl.dir, c.from), filepath.Join(pl.dir, c.at)
		if err := os.WriteFile(filepath.Join(from, "f"), []byte("data"), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := unix.Mount(from, at, "", unix.MS_BIND, ""); err != nil {
			t.Skipf("SKIPPED, NOT TESTED: nothing can be mounted here: %v", err)
		}
		t.Cleanup(func() { _ = unix.Unmount(at, unix.MNT_DETACH) })
		h := pl.run(t, 2, "--adopt", filepath.Join(pl.dir, c.p), filepath.Join(pl.dir, c.s))
		if text := h.stderr.String(); !strings.Contains(text, c.said) || !strings.Contains(text, "mounted in more than one place") {
			t.Errorf("%s at %s: it says %s", c.from, c.at, text)
		}
		if data, err := os.ReadFile(filepath.Join(at, "f")); err != nil || string(data) != "data" {
			t.Errorf("%s at %s: %q, %v", c.from, c.at, data, err)
		}
	}
}
