package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestNotices lets the program choose by what it notices changes: as root and as
// somebody else, and what it was told to take. It says what it took, and why not
// something better, once; and changes arrive.
func TestNotices(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, setting, want string
		nobody              bool
	}{
		{"root", "", `detector=fanotify`, false},
		{"named", `detector = "inotify"`, `detector=inotify`, false},
		{"nobody", "", `detector=inotify no_fanotify="a whole filesystem may only be watched with the capability CAP_SYS_ADMIN; run as root, or with it"`, true},
		{"scan", "detector = \"scan\"\ninterval = \"50ms\"\nidle_share = \"100%\"", `detector=scan`, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if os.Geteuid() != 0 {
				t.Skip("SKIPPED, NOT TESTED: needs root, or to become somebody else")
			}
			pl := newPlace(t)
			pl.write(t, "d/a", []byte("a"))
			cmd := pl.command("run", "--state-dir", pl.state, "-c", pl.config(t, "schedule {\n"+c.setting+"\n}"))
			if c.nobody {
				cmd = pl.asNobody(t, cmd)
				giveAway(t, pl.dir)
			}
			h := start(t, cmd, nil)
			h.until("in sync", func() bool { return pl.inSync(t) && h.said(`msg="in sync"`) > 0 })
			for i, change := range []func() error{
				func() error { return os.WriteFile(filepath.Join(pl.p, "d/b"), []byte("b"), 0o644) },
				func() error { return os.MkdirAll(filepath.Join(pl.p, "x/y/z"), 0o755) },
				func() error { return os.WriteFile(filepath.Join(pl.p, "x/y/z/f"), []byte("f"), 0o644) },
				func() error { return os.Rename(filepath.Join(pl.p, "x/y"), filepath.Join(pl.p, "d/y")) },
				func() error { return os.WriteFile(filepath.Join(pl.p, "d/y/z/f"), []byte("moved"), 0o644) },
				func() error { return os.RemoveAll(filepath.Join(pl.p, "d/y")) },
			} {
				if err := change(); err != nil {
					t.Fatal(err)
				}
				if c.nobody {
					giveAway(t, pl.p)
				}
				h.until(fmt.Sprintf("change %d", i), func() bool { return pl.inSync(t) })
			}
			if n := h.said(c.want); n != 1 {
				t.Errorf("said %d times %q", n, c.want)
			}
			h.stop(syscall.SIGTERM)
			pl.clean(t)
		})
	}
}

// TestNoticesByName asks for what is not to be had: nothing is mirrored, and it
// says what would help, once.
func TestNoticesByName(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED, NOT TESTED: needs root, to become somebody else")
	}
	pl := newPlace(t)
	pl.write(t, "a", []byte("a"))
	cmd := pl.asNobody(t, pl.command("run", "--state-dir", pl.state, "-c", pl.config(t, "schedule {\ndetector = \"fanotify\"\n}\nretry {\nmin = \"20ms\"\nmax = \"5m\"\n}")))
	giveAway(t, pl.dir)
	h := start(t, cmd, nil)
	const want = `schedule { detector = \"fanotify\" }: a whole filesystem may only be watched with the capability CAP_SYS_ADMIN; run as root, or with it; or leave detector out`
	h.until("it says why", func() bool { return strings.Contains(h.stderr.String(), want) })
	wait(t.Context(), 500*time.Millisecond)
	if n := strings.Count(h.stderr.String(), want); n != 1 {
		t.Errorf("it says %d times what is wrong", n)
	}
	if _, err := os.Stat(filepath.Join(pl.s, "a")); err == nil {
		t.Error("it mirrors all the same")
	}
	h.stop(syscall.SIGTERM)
}

// TestNoticesAcrossMounts mirrors a tree that goes on in another filesystem, which comes
// while the program runs and goes again: nothing keeps it from being unmounted.
func TestNoticesAcrossMounts(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED, NOT TESTED: needs root")
	}
	pl := newPlace(t)
	pl.write(t, "d/a", []byte("a"))
	at := filepath.Join(pl.p, "d/m")
	if err := os.Mkdir(at, 0o755); err != nil {
		t.Fatal(err)
	}
	h := start(t, pl.command("run", "--state-dir", pl.state, "-c", pl.config(t, "driver \"file\" {\ncross_mounts = true\n}")), nil)
	h.until("in sync", func() bool { return pl.inSync(t) && h.said(`msg="in sync"`) > 0 })
	for round := range 2 {
		if err := unix.Mount("tmpfs", at, "tmpfs", 0, "size=1m,mode=755"); err != nil {
			t.Skipf("SKIPPED, NOT TESTED: nothing can be mounted here: %v", err)
		}
		t.Cleanup(func() { _ = unix.Unmount(at, unix.MNT_DETACH) })
		for _, name := range []string{"f", "x/y/f", "x/y/f"} {
			pl.write(t, "d/m/"+name, []byte(fmt.Sprint(name, round, h.said("in sync"))))
			h.until("a change on the other filesystem", func() bool { return pl.inSync(t) })
		}
		// It is busy while it is listed, and not for longer.
		h.until("unmounted", func() bool { return unix.Unmount(at, 0) == nil })
		h.until("in sync without it", func() bool { return pl.inSync(t) })
	}
	if n := h.said("detector=fanotify"); n != 1 {
		t.Errorf("said %d times what it hears by", n)
	}
	h.stop(syscall.SIGTERM)
	pl.clean(t)
}

// giveAway gives a directory and what is in it to nobody.
func giveAway(t *testing.T, dir string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, nobody, nobody)
	})
	if err != nil {
		t.Fatal(err)
	}
}
