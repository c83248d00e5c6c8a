package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// TestSSHToOrdinaryUser mirrors root's tree to an account without rights: what it
// may keep is kept, what it may not is said once, and the second run has nothing
// to do.
func TestSSHToOrdinaryUser(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED, NOT TESTED: only root can become somebody else")
	}
	pl := newPlace(t)
	s := newSSHDAs(t, pl, asOrdinaryUser)
	pl.write(t, "plain", []byte("plain"))
	pl.write(t, "d/owned", []byte("owned"))
	pl.write(t, "d/program", []byte("program"))
	pl.write(t, "d/locked/f", []byte("f"))
	in := func(name string) string { return filepath.Join(pl.p, name) }
	check(t, errors.Join(
		os.Chown(in("d/owned"), 12, 34), os.Chown(in("d"), 56, 0), os.Chmod(in("d/program"), 0o755|fs.ModeSetuid),
		unix.Mknod(in("d/null"), unix.S_IFCHR|0o666, int(unix.Mkdev(1, 3))), unix.Mkfifo(in("d/fifo"), 0o600),
		os.Symlink("owned", in("d/link")), os.Link(in("plain"), in("d/second")), os.Chmod(in("d/locked"), 0o500),
		unix.Setxattr(in("plain"), "user.colour", []byte("blue"), 0), unix.Setxattr(in("d/owned"), "trusted.secret", []byte("x"), 0),
	))
	run := func() *host {
		t.Helper()
		h := pl.start(t, "--once", pl.p, s.far())
		h.end(patience, 0)
		return h
	}
	h := run()
	for _, text := range []string{
		"without root's rights some attributes cannot be kept", "cannot keep entries of type character device",
		"owners or groups cannot all be kept", "some extended attributes cannot be kept", "set-user-ID, set-group-ID or sticky bits cannot all be kept",
	} {
		if n := h.said(text); n != 1 {
			t.Errorf("said %d times, not once: %s", n, text)
		}
	}
	for name, want := range map[string]string{"plain": "plain", "d/owned": "owned", "d/second": "plain", "d/link": "owned", "d/locked/f": "f"} {
		if got, err := os.ReadFile(filepath.Join(pl.s, name)); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	for name, want := range map[string]fs.FileMode{"d/fifo": fs.ModeNamedPipe | 0o600, "d/locked": fs.ModeDir | 0o500} {
		if st, err := os.Lstat(filepath.Join(pl.s, name)); err != nil || st.Mode() != want || st.Sys().(*syscall.Stat_t).Uid != nobody {
			t.Errorf("%s: %v, %v", name, st, err)
		}
	}
	if _, err := os.Lstat(filepath.Join(pl.s, "d/null")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the device: %v", err)
	}
	before, err := describe(pl.s)
	check(t, err)
	if h := run(); !strings.Contains(h.stdout.String(), ": 0 files (0 B)") {
		t.Error("the second run copies")
	}
	if after, err := describe(pl.s); err != nil || after != before {
		t.Errorf("the second run changes the secondary: %v", err)
	}
	// Where it looks again, what differs for ever is not sent again.
	pl.write(t, "d/new", []byte("new"))
	if h := run(); !strings.Contains(h.stdout.String(), ": 1 file (3 B)") {
		t.Error("the third run does not copy the new file alone")
	}
	s.gone()
}

// asOrdinaryUser starts a server that has no more rights than nobody, and lets
// nobody in. That takes a shell, which the machine's list of users does not give
// nobody, so the server sees another list.
func asOrdinaryUser(s *sshd, cmd *exec.Cmd) {
	s.t.Helper()
	users := filepath.Join(s.pl.dir, "sshd", "passwd")
	self := filepath.Join(s.pl.bin(), "self")
	program, err := os.Executable()
	check(s.t, err)
	data, err := os.ReadFile(program)
	check(s.t, err)
	check(s.t, writeProgram(self, data)) // where nobody can reach it
	s.user = "ordinary"
	s.clientConfig("")
	s.program(fmt.Sprintf("#!/bin/bash\nexec -a %s %s \"$@\"\n", programName, self))
	s.file(users, fmt.Sprintf("root:x:0:0::/root:/bin/sh\nordinary:x:%d:%d::%s:/bin/sh\n", nobody, nobody, s.pl.dir))
	check(s.t, os.Chmod(users, 0o644))
	check(s.t, filepath.WalkDir(s.pl.dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil || strings.HasPrefix(path, s.pl.p) || strings.HasPrefix(path, s.pl.home()) {
			return err
		}
		return os.Lchown(path, nobody, nobody)
	}))
	if out, err := exec.Command("unshare", "-m", "mount", "--bind", users, "/etc/passwd").CombinedOutput(); err != nil {
		s.t.Skipf("SKIPPED, NOT TESTED: no mounts here: %v: %s", err, out)
	}
	script := `mount --bind "$0" /etc/passwd && exec setpriv --reuid="$1" --regid="$1" --clear-groups "${@:2}"`
	args := append([]string{"unshare", "-m", "bash", "-c", script, users, fmt.Sprint(nobody)}, cmd.Args...)
	cmd.Path, cmd.Args = "/usr/bin/unshare", args
}
