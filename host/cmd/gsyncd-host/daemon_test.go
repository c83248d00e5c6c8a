package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestFollowsChanges(t *testing.T) {
	t.Parallel()
	pl := newPlace(t)
	pl.write(t, "a/one", []byte("one"))
	cmd := pl.command("-c", `exec "$0" "$@" <&-`, "gsyncd-host", "run", "--state-dir", pl.state, pl.p, pl.s)
	pl.viaShell(t, cmd) // with standard input closed
	h := start(t, cmd, nil)
	h.until("the first state arrives", func() bool { return pl.inSync(t) })
	pl.replace(t, "a/two", []byte("two"))
	h.until("a new file arrives", func() bool { return pl.inSync(t) })
	if err := os.Rename(filepath.Join(pl.p, "a"), filepath.Join(pl.p, "b")); err != nil {
		t.Fatal(err)
	}
	h.until("a rename arrives", func() bool { return pl.inSync(t) })

	second := pl.start(t, "--once", pl.p, pl.s)
	second.end(patience, 4)
	if want := fmt.Sprintf("already running, as process %d", cmd.Process.Pid); !strings.Contains(second.stdout.String(), want) {
		t.Errorf("the second instance does not say %q", want)
	}
	h.stop(syscall.SIGTERM)
	if out := h.stdout.String(); !strings.Contains(out, ": stopped, last in sync at ") || !strings.Contains(out, ": 2 files") {
		t.Error("the summary does not tell of 2 files")
	}
	if strings.Contains(h.stderr.String(), "\x1b") {
		t.Error("escape codes, but no terminal")
	}
	pl.clean(t)
}

// viaShell makes the shell start cmd, whose arguments are the shell's.
func (pl *place) viaShell(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(cmd.Path, filepath.Join(pl.bin(), programName)); err != nil {
		t.Fatal(err)
	}
	cmd.Path, cmd.Args[0] = sh, "sh"
}

// TestStops asks the program to end at bad moments.
func TestStops(t *testing.T) {
	signals := []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP}
	moments := []struct {
		name  string
		group bool // the signal goes to the whole process group, as Ctrl-C does
		body  string
		at    func(*place, *testing.T, *host)
	}{
		{name: "at rest", at: func(pl *place, t *testing.T, h *host) {
			h.until("in sync", func() bool { return pl.inSync(t) })
		}},
		{name: "while it starts", group: true, at: func(pl *place, t *testing.T, h *host) {
			h.until("a plugin", func() bool { return len(pl.find(t, pluginProc("file", ""))) > 0 })
		}},
		{name: "in a large copy", group: true, body: "transfer \"stream\" {}\n limits { rate = \"2MiB/s\" }", at: (*place).copying},
		{name: "in a slow rsync", group: true, body: "transfer \"rsync\" { rate = \"1MiB/s\" }", at: func(pl *place, t *testing.T, h *host) {
			h.until("an rsync at work", func() bool {
				left, err := leftovers(pl.s)
				return err == nil && len(left) > 0 && len(pl.find(t, rsyncProgram)) > 0
			})
		}},
		{name: "in a check", body: "transfer \"rsync\" {}", at: func(pl *place, t *testing.T, h *host) {
			h.until("the check", func() bool {
				_, err := os.Stat(filepath.Join(pl.bin(), "rsync.ran"))
				return err == nil
			})
		}},
		{name: "with a frozen secondary", body: "transfer \"stream\" {}\n limits { rate = \"2MiB/s\" }", at: func(pl *place, t *testing.T, h *host) {
			pl.copying(t, h)
			for _, p := range pl.find(t, pluginProc("file", pl.s)) {
				p.signal(syscall.SIGSTOP)
			}
		}},
	}
	for i, m := range moments {
		sig := signals[i%len(signals)]
		t.Run(m.name+" "+sig.String(), func(t *testing.T) {
			t.Parallel()
			if strings.Contains(m.name, "slow rsync") {
				needRsync(t)
			}
			pl := newPlace(t)
			old := []byte("the old version")
			pl.write(t, "big", old)
			pl.once(t, pl.p, pl.s)
			pl.write(t, "big", bytes.Repeat([]byte("a new version, and a large one. "), 1<<20))
			if m.name == "in a check" {
				pl.slowRsync(t)
			}
			h := pl.start(t, "-c", pl.config(t, m.body))
			m.at(pl, t, h)
			pid := h.cmd.Process.Pid
			if m.group {
				pid = -pid
			}
			if err := syscall.Kill(pid, sig); err != nil {
				t.Fatal(err)
			}
			h.end(stopTime, 0)
			if !strings.Contains(m.name, "frozen") {
				pl.clean(t)
			}
			pl.noProcess(t)
			pl.whole(t, old)
			pl.once(t, "--config", pl.config(t, "transfer \"stream\" {}"))
			pl.clean(t)
			if !pl.inSync(t) {
				t.Error("the trees differ in the end")
			}
		})
	}
}

// copying waits until a file of our own is growing on the secondary.
func (pl *place) copying(t *testing.T, h *host) {
	t.Helper()
	h.until("a staged file", func() bool {
		left, err := leftovers(pl.s)
		return err == nil && len(left) > 0
	})
}

// slowRsync puts a program in front of rsync that takes long to say its version.
func (pl *place) slowRsync(t *testing.T) {
	t.Helper()
	script := "#!/bin/sh\n: >\"$0.ran\"\nexec sleep 60\n"
	if err := writeProgram(filepath.Join(pl.bin(), "rsync"), []byte(script)); err != nil {
		t.Fatal(err)
	}
}

// whole checks that the secondary's file is one whole version.
func (pl *place) whole(t *testing.T, old []byte) {
	t.Helper()
	got, err := os.ReadFile(filepath.Join(pl.s, "big"))
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(filepath.Join(pl.p, "big"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, old) && !bytes.Equal(got, want) {
		t.Errorf("torn: %d bytes", len(got))
	}
}

// TestOnceStopped asks a run with an end to end before: that is no success.
func TestOnceStopped(t *testing.T) {
	t.Parallel()
	pl := newPlace(t)
	pl.write(t, "big", bytes.Repeat([]byte("large"), 1<<22))
	h := pl.start(t, "--once", "-c", pl.config(t, "limits { rate = \"2MiB/s\" }"))
	pl.copying(t, h)
	if err := h.cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	h.end(stopTime, 1)
	if !strings.HasPrefix(h.stdout.String(), "m: stopped: 0 files") {
		t.Error("the summary does not say that it was stopped")
	}
	pl.clean(t)
}

func needRsync(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("rsync"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("rsync is not installed (apt install rsync)")
		}
		t.Skip("SKIPPED, NOT TESTED: rsync is not installed (apt install rsync)")
	}
}
