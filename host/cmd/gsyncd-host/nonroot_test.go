package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// nobody is a user without rights.
const nobody = 65534

// TestWithoutRoot runs the program as somebody else: what can be kept is kept,
// what cannot is said once, and what may not be read is a problem of its own.
func TestWithoutRoot(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED, NOT TESTED: only root can become somebody else")
	}
	pl := newPlace(t)
	pl.write(t, "fine", []byte("fine"))
	pl.write(t, "locked/f", []byte("secret"))
	pl.write(t, "secret", []byte("secret"))
	for name, mode := range map[string]os.FileMode{"locked": 0o700, "secret": 0o600} {
		if err := os.Chmod(filepath.Join(pl.p, name), mode); err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range []string{pl.dir, pl.p, pl.tmp, filepath.Join(pl.p, "fine")} {
		if err := os.Chown(path, nobody, nobody); err != nil {
			t.Fatal(err)
		}
	}
	run := func(code int, args ...string) *host {
		cmd := pl.asNobody(t, pl.command(append([]string{"run", "--once"}, args...)...))
		h := start(t, cmd, nil)
		h.end(patience, code)
		return h
	}
	h := run(3, pl.p, pl.s)
	for _, want := range []string{"problem: locked: permission on the primary", "problem: secret: permission on the primary", ": 1 file ("} {
		if !strings.Contains(h.stdout.String(), want) {
			t.Errorf("the summary lacks %q", want)
		}
	}
	if n := strings.Count(h.stderr.String(), "without root's rights"); n != 1 {
		t.Errorf("told %d times what takes root's rights, not once", n)
	}
	if _, err := os.Stat(filepath.Join(pl.dir, ".local", "state", "gsyncd-host")); err != nil {
		t.Errorf("no state where users have it: %v", err)
	}
	if data, err := os.ReadFile(filepath.Join(pl.s, "fine")); err != nil || string(data) != "fine" {
		t.Errorf("fine: %q, %v", data, err)
	}
	pl.clean(t)

	// Sides that cannot be: nothing is made.
	for _, c := range []struct{ p, s, want string }{
		{filepath.Join(pl.p, "locked"), pl.s, "cannot be read: permission denied"},
		{pl.p, filepath.Join(pl.dir, "state"), "cannot be written: permission denied"},
		{pl.p, "/gsyncd-host-test", `the directory "/" cannot be written: permission denied`},
	} {
		if err := os.MkdirAll(filepath.Join(pl.dir, "state"), 0o755); err != nil {
			t.Fatal(err)
		}
		if h := run(2, c.p, c.s); !strings.Contains(h.stderr.String(), c.want) {
			t.Errorf("%s to %s: no %q in %q", c.p, c.s, c.want, h.stderr.String())
		}
	}
}

// asNobody makes cmd run as nobody. The test binary lies where only its owner
// can reach it, so it is copied.
func (pl *place) asNobody(t *testing.T, cmd *exec.Cmd) *exec.Cmd {
	t.Helper()
	path := filepath.Join(pl.bin(), programName)
	if _, err := os.Stat(path); err != nil {
		data, err := os.ReadFile(cmd.Path)
		if err != nil {
			t.Fatal(err)
		}
		check(t, writeProgram(path, data))
	}
	cmd.Path = path
	cmd.SysProcAttr.Credential = &syscall.Credential{Uid: nobody, Gid: nobody}
	return cmd
}

// writeProgram writes a file that is to be executed. No process may begin meanwhile:
// it would hold the file open for writing until it executes something itself, and
// what is open for writing cannot be executed.
func writeProgram(path string, data []byte) error {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	return os.WriteFile(path, data, 0o755)
}
