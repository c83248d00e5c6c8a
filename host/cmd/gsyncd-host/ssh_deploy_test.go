package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// mirrorArgs are the arguments of run for one turn to a secondary, with settings
// of the ssh driver. What may succeed the next time is tried again soon.
func (s *sshd) mirrorArgs(far, driver string) []string {
	s.t.Helper()
	config := filepath.Join(s.pl.dir, "far.hcl")
	s.file(config, fmt.Sprintf("mirror \"m\" {\n  primary = %q\n  secondary = %q\n  retry { min = \"100ms\" }\n  driver \"ssh\" {\n    %s\n  }\n}\n", s.pl.p, far, driver))
	return []string{"--once", "-c", config}
}

// bare takes gsyncd-host away from the far machine.
func (s *sshd) bare() {
	s.t.Helper()
	check(s.t, os.Remove(filepath.Join(s.pl.bin(), programName)))
}

// putThere lists the programs that were put on the far machine.
func (s *sshd) putThere() []string {
	s.t.Helper()
	all, err := filepath.Glob(filepath.Join(s.pl.dir, ".cache", programName, "agent", "*", "*"))
	check(s.t, err)
	return all
}

// TestSSHDeploy mirrors to a machine without gsyncd-host: it is put there once,
// and again when it is no longer what it was.
func TestSSHDeploy(t *testing.T) {
	t.Parallel()
	pl := newPlace(t)
	s := newSSHDAs(t, pl, func(_ *sshd, cmd *exec.Cmd) { cmd.Args = append(cmd.Args, "-o", "MaxSessions=1") })
	s.bare()
	turn := func(wantPut int) {
		t.Helper()
		pl.write(t, fmt.Sprint("f", time.Now().UnixNano()), []byte("f"))
		h := pl.run(t, 0, pl.p, s.far())
		if n := h.said("gsyncd-host was put on far at " + pl.dir + "/.cache/gsyncd-host/agent/"); n != wantPut {
			t.Errorf("put there %d times, want %d", n, wantPut)
		}
		if n := h.said("not found"); n > 0 {
			t.Errorf("what is nothing unusual was said %d times", n)
		}
		s.endedWell()
		if there := s.putThere(); len(there) != 1 {
			t.Errorf("there: %q", there)
		}
	}
	turn(1)
	turn(0)
	at := s.putThere()[0]
	before, err := os.ReadFile(at)
	check(t, err)
	check(t, os.WriteFile(at, before[:len(before)/2], 0o700))
	turn(1)
	after, err := os.ReadFile(at)
	check(t, err)
	if !bytes.Equal(before, after) {
		t.Error("what was spoilt is not as before")
	}
	// A program of another version is not in the way, and stays.
	s.program("#!/bin/sh\necho gsyncd-host-agent 99 v9.9.9\ncat >/dev/null\n")
	turn(0)
	s.program(olderProgram)
	turn(0)
}

// olderProgram is a gsyncd-host that speaks the same version of the protocol and
// lacks an option of the agent's.
const olderProgram = "#!/bin/sh\necho 'error: unknown flag: --silence' >&2\nexit 2\n"

// TestSSHDeployBad puts the program where it cannot be, or cannot run.
func TestSSHDeployBad(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		prepare func(t *testing.T, s *sshd)
		driver  string // its settings
		want    []string
	}{
		{name: "another architecture", prepare: func(_ *testing.T, s *sshd) {
			s.shadow("uname", `case $1 in -m) echo riscv64 ;; *) echo Linux ;; esac`)
		}, want: []string{"put gsyncd-host on far: the machine is Linux on riscv64 (riscv64), and this gsyncd-host is for linux on ", "name it with remote_agent"}},
		{name: "no shell", prepare: func(_ *testing.T, s *sshd) {
			s.forced("echo bye; exit 127")
		}, want: []string{"there is no gsyncd-host", "install gsyncd-host there", "(it could not be put there: this key runs no other command there)"}},
		{name: "confined to an agent", prepare: func(_ *testing.T, s *sshd) {
			s.forced("echo gsyncd-host-agent 0 v0.0.1; head -c 100 >/dev/null")
		}, want: []string{"gsyncd-host v0.0.1) speaks protocol 0, this one 2; the other end is older: update it", "(it could not be put there: this key runs no other command there)"}},
		{name: "confined to an older agent", prepare: func(_ *testing.T, s *sshd) {
			s.forced("echo 'error: unknown flag: --silence' >&2; exit 2")
		}, want: []string{"it ended with exit code 2; it said: error: unknown flag: --silence; is the right program called", "(it could not be put there: this key runs no other command there)"}},
		{name: "an option that no agent has", driver: `remote_options = ["--louder"]`, prepare: func(*testing.T, *sshd) {}, want: []string{
			"it does not take the command line that it gets", "unknown flag: --louder", "is there a mistake in remote_options?",
		}},
		{name: "no answer", prepare: func(_ *testing.T, s *sshd) {
			s.forced(`case "$SSH_ORIGINAL_COMMAND" in exec*) exec cat >/dev/null ;; *) exit 127 ;; esac`)
		}, driver: `connect_timeout = "3s"`, want: []string{"put gsyncd-host on far: nothing went on for 3s", "may this key run any command there"}},
		{name: "no file may grow", prepare: func(_ *testing.T, s *sshd) {
			s.forced(`trap "" XFSZ; ulimit -f 1000; eval "$SSH_ORIGINAL_COMMAND"`)
		}, want: []string{"put gsyncd-host on far: it cannot be written there (cat: write error: File too large)", "set XDG_CACHE_HOME"}},
		{name: "full disk", prepare: func(t *testing.T, s *sshd) {
			s.cache(t, "size=1m")
		}, want: []string{"put gsyncd-host on far: there is no space for its ", "No space left on device", "make room"}},
		{name: "noexec", prepare: func(t *testing.T, s *sshd) {
			s.cache(t, "noexec")
		}, want: []string{"it was put there and may not be executed: is its file system mounted noexec?"}},
		{name: "linked to libraries", prepare: func(_ *testing.T, s *sshd) {
			s.forced(`case "$SSH_ORIGINAL_COMMAND" in *.cache*) exit 127 ;; esac; eval "$SSH_ORIGINAL_COMMAND"`)
		}, want: []string{"it was put there and cannot start", "CGO_ENABLED=0"}},
		{name: "linked to newer libraries", prepare: func(_ *testing.T, s *sshd) {
			s.forced(`case "$SSH_ORIGINAL_COMMAND" in *.cache*) echo "version GLIBC_2.99 not found" >&2; exit 1 ;; esac; eval "$SSH_ORIGINAL_COMMAND"`)
		}, want: []string{"it was put there and cannot start", "CGO_ENABLED=0", "it said: version GLIBC_2.99 not found"}},
		{name: "stuck", prepare: func(_ *testing.T, s *sshd) {
			s.shadow("cat", "head -c 5000000; sleep 7; exec /bin/cat")
		}, driver: "keepalive = \"3s\"\n    connect_timeout = \"3s\"", want: []string{"put gsyncd-host on far: nothing went on for 3s"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			pl, s := newFar(t)
			s.bare()
			c.prepare(t, s)
			pl.write(t, "f", []byte("f"))
			h := pl.start(t, s.mirrorArgs(s.far(), c.driver)...)
			h.end(patience, 1)
			for _, want := range c.want {
				h.wants(want)
			}
			t.Log(h.all())
			if _, err := os.Stat(pl.s); err == nil {
				t.Error("there is a secondary")
			}
			s.gone()
			for _, path := range s.putThere() {
				if filepath.Base(path) != programName {
					t.Errorf("left behind: %s", path)
				}
			}
		})
	}
}

// TestSSHDeploySlow takes longer in all than nothing may go on for.
func TestSSHDeploySlow(t *testing.T) {
	t.Parallel()
	pl, s := newFar(t)
	s.bare()
	s.shadow("cat", "for i in 1 2 3 4 5 6 7 8 9 10; do head -c 1000000; sleep 0.6; done; exec /bin/cat")
	pl.write(t, "f", []byte("f"))
	began := time.Now()
	pl.once(t, s.mirrorArgs(s.far(), "keepalive = \"5s\"\n    connect_timeout = \"5s\"")...)
	if took := time.Since(began); took < 6*time.Second {
		t.Errorf("it took only %s", took)
	}
	s.endedWell()
}

// TestSSHDeployStopped stops the program while it puts itself there.
func TestSSHDeployStopped(t *testing.T) {
	t.Parallel()
	pl, s := newFar(t)
	s.bare()
	s.shadow("cat", "head -c 1000000; sleep 3; exec /bin/cat")
	pl.write(t, "f", []byte("f"))
	h := pl.start(t, "--once", pl.p, s.far())
	h.until("it is on its way", func() bool { return len(s.putThere()) == 1 })
	check(t, h.cmd.Process.Signal(syscall.SIGTERM))
	h.end(stopTime, 1)
	poll(t, "what was there is removed", func() bool { return len(s.putThere()) == 0 })
	s.gone()
}

// TestSSHDeployNoise puts the program there through a login whose start-up
// files print things.
func TestSSHDeployNoise(t *testing.T) {
	t.Parallel()
	pl, s := newFar(t)
	s.bare()
	s.forced(`yes "have a nice day" | head -c 60000; printf "no newline "; eval "$SSH_ORIGINAL_COMMAND"`)
	pl.write(t, "f", []byte("f"))
	pl.once(t, pl.p, s.far())
	s.endedWell()
}

// forced makes the server run something else than what it is told.
func (s *sshd) forced(command string) {
	s.t.Helper()
	path := filepath.Join(s.pl.dir, "sshd", "authorized")
	key, err := os.ReadFile(path)
	check(s.t, err)
	s.file(path, `command="`+strings.ReplaceAll(command, `"`, `\"`)+`" `+string(key))
}

// shadow puts a script before a program of the far machine.
func (s *sshd) shadow(name, text string) {
	s.t.Helper()
	path := filepath.Join(s.pl.bin(), name)
	check(s.t, errors.Join(writeProgram(path, []byte("#!/bin/sh\n"+text+"\n")), os.Chmod(path, 0o755)))
}

// cache mounts a file system of its own where the login's cache is.
func (s *sshd) cache(t *testing.T, option string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED, NOT TESTED: only root can mount a file system")
	}
	flags, data := uintptr(syscall.MS_NOEXEC), ""
	if option != "noexec" {
		flags, data = 0, option
	}
	dir := filepath.Join(s.pl.dir, ".cache")
	check(t, errors.Join(os.MkdirAll(dir, 0o755), syscall.Mount("none", dir, "tmpfs", flags, data)))
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
}
