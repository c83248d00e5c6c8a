package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// TestTerminal runs two mirrors on a terminal: a line for each, which leaves no
// trace, and no control character but those of the lines themselves.
func TestTerminal(t *testing.T) {
	t.Parallel()
	pl := newPlace(t)
	pl.write(t, "a\x1b[2Jb", []byte("x"))
	if err := os.MkdirAll(filepath.Join(pl.s, "stranger\x1b[31m\x07\nred"), 0o755); err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(pl.dir, "other")
	if err := os.Mkdir(other, 0o755); err != nil {
		t.Fatal(err)
	}
	config := pl.config(t, fmt.Sprintf("}\nmirror \"second\" {\n primary = %q\n secondary = %q\n", other, other+"-s"))
	ours, theirs := terminal(t, 100)
	cmd := pl.command("run", "-c", config)
	h := start(t, cmd, theirs)
	h.until("both lines", func() bool {
		out := ours.String()
		return strings.Contains(out, "m: problems, 1 entry, 1 B, 1 problem\r\n") && strings.Contains(out, "second: in sync, 0 entries, 0 B, seen ") &&
			strings.Contains(out, "level=WARN msg=problem mirror=m ")
	})
	h.stop(syscall.SIGINT)
	poll(t, "the lines are taken away", func() bool { return strings.HasSuffix(ours.String(), "\x1b[2A\r\x1b[J") })
	out := ours.String()
	rest := strings.NewReplacer("\x1b[2A\r\x1b[J", "", "\r\n", "").Replace(out)
	if i := strings.IndexFunc(rest, func(r rune) bool { return r < ' ' || r == 0x7f }); i >= 0 {
		t.Errorf("control character in %q", rest[max(0, i-40):min(len(rest), i+40)])
	}
	if strings.ContainsAny(strings.ReplaceAll(h.stdout.String(), "\n", ""), "\x1b\x07") {
		t.Errorf("control character in the summary %q", h.stdout.String())
	}
}

// terminal makes a pseudo-terminal. What is written to it is found in out.
func terminal(t *testing.T, columns uint16) (out *syncBuffer, theirs *os.File) {
	t.Helper()
	out, theirs, _ = keyboard(t, columns)
	return out, theirs
}

// keyboard is a terminal on which one can type.
func keyboard(t *testing.T, columns uint16) (out *syncBuffer, theirs, master *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Skipf("SKIPPED, NOT TESTED: no pseudo-terminals here: %v", err)
	}
	fd := int(master.Fd())
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err := errors.Join(err, unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0), unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 25, Col: columns})); err != nil {
		t.Fatal(err)
	}
	theirs, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	out = &syncBuffer{}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = io.Copy(out, master) // ends with EIO when the other end is closed
	}()
	t.Cleanup(func() {
		_ = theirs.Close()
		<-done
		_ = master.Close()
		if t.Failed() {
			t.Logf("[terminal]\n%q", out.String())
		}
	})
	return out, theirs, master
}

// silent reports whether a terminal shows nothing of what is typed.
func silent(terminal *os.File) bool {
	state, err := unix.IoctlGetTermios(int(terminal.Fd()), unix.TCGETS)
	return err == nil && state.Lflag&unix.ECHO == 0
}
