package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/crypto/ssh"
)

const passphrase = "correct horse battery"

// lock makes the user's key one with a passphrase.
func (s *sshd) lock() {
	s.t.Helper()
	key := newKey(s.t, filepath.Join(s.pl.home(), "key"), passphrase)
	s.file(filepath.Join(s.pl.dir, "sshd", "authorized"), string(ssh.MarshalAuthorizedKey(key)))
}

// TestSSHPassphrase types the passphrase of the key on a terminal.
func TestSSHPassphrase(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		typed   []string
		code    int
		prompts int
		said    string
	}{
		{name: "right", typed: []string{passphrase}, prompts: 1},
		{name: "right at last", typed: []string{"wrong", "", passphrase}, prompts: 3},
		{name: "wrong", typed: []string{"a", "b", "c"}, code: 2, prompts: 3, said: "the passphrase given does not open"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			pl, s := newFar(t)
			s.lock()
			pl.write(t, "f", []byte("x"))
			// Two mirrors with one key: one question.
			other := filepath.Join(pl.dir, "other")
			check(t, os.Mkdir(other, 0o755))
			config := s.config(fmt.Sprintf("}\nmirror \"second\" {\n primary = %q\n secondary = %q\n", other, "far:"+other+"-s"))
			out, theirs, master := keyboard(t, 200)
			cmd := pl.command("run", "--once", "-c", config)
			cmd.Stdin = theirs
			h := start(t, cmd, theirs)
			prompt := "passphrase for " + filepath.Join(pl.home(), "key") + ": "
			for i, text := range c.typed {
				h.until("the question", func() bool { return strings.Count(out.String(), prompt) > i && silent(theirs) })
				_, err := master.WriteString(text + "\n")
				check(t, err)
			}
			h.end(patience, c.code)
			poll(t, "all is shown", func() bool { return strings.Contains(out.String(), c.said) })
			if n := strings.Count(out.String(), prompt); n != c.prompts {
				t.Errorf("asked %d times, not %d", n, c.prompts)
			}
			if strings.Contains(out.String()+h.stdout.String(), passphrase) {
				t.Error("the passphrase is shown")
			}
			if c.code == 0 && !pl.inSync(t) {
				t.Error("the trees differ")
			}
			s.gone()
		})
	}
}

// TestSSHPassphraseStopped is about a person who would rather stop.
func TestSSHPassphraseStopped(t *testing.T) {
	t.Parallel()
	pl, s := newFar(t)
	s.lock()
	out, theirs, _ := keyboard(t, 200)
	cmd := pl.command("run", "--once", pl.p, s.far())
	cmd.Stdin = theirs
	h := start(t, cmd, theirs)
	h.until("the question", func() bool { return strings.Contains(out.String(), "passphrase for ") && silent(theirs) })
	check(t, h.cmd.Process.Signal(syscall.SIGINT))
	h.end(patience, 1)
	if silent(theirs) {
		t.Error("the terminal is left without echo")
	}
}

// TestSSHPassphraseUnasked is about runs without a terminal.
func TestSSHPassphraseUnasked(t *testing.T) {
	t.Parallel()
	pl, s := newFar(t)
	s.lock()
	pl.write(t, "f", []byte("x"))
	out, theirs, _ := keyboard(t, 200)
	run := func(code int, args ...string) string {
		t.Helper()
		cmd := pl.command(args...)
		cmd.Env = append(cmd.Env, "KEY_PASSPHRASE="+passphrase)
		cmd.Stdin = theirs
		h := start(t, cmd, nil)
		h.end(patience, code)
		said := h.stdout.String() + h.stderr.String() + out.String()
		if strings.Contains(said, "passphrase for ") {
			t.Errorf("%q asks", args)
		}
		if strings.Contains(said, passphrase) || strings.Contains(said, "hunter2") {
			t.Errorf("%q shows a passphrase: %s", args, said)
		}
		return said
	}
	plain := s.config("")
	for _, args := range [][]string{{"run", "--once"}, {"run", "--once", "--json"}} {
		if said := run(2, append(args, "-c", plain)...); !strings.Contains(said, "has a passphrase") || !strings.Contains(said, "ssh-add ") {
			t.Errorf("%q says %s", args, said)
		}
	}
	if said := run(0, "validate", "-c", plain); !strings.Contains(said, "warning: there is no key to log in to") {
		t.Errorf("validate says %s", said)
	}
	wrong := s.config(`driver "ssh" { passphrase = "hunter2" }`)
	for _, args := range [][]string{{"run", "--once"}, {"run", "--once", "--json"}, {"validate"}} {
		if said := run(2, append(args, "-c", wrong)...); !strings.Contains(said, "the passphrase given does not open") {
			t.Errorf("%q says %s", args, said)
		}
	}
	if said := run(2, "validate", "-c", s.config(`driver "ssh" { passphrase = ["hunter2"] }`)); !strings.Contains(said, "passphrase must be a string") {
		t.Errorf("validate says %s", said)
	}
	run(0, "run", "--once", "-c", s.config(`driver "ssh" { passphrase = env("KEY_PASSPHRASE") }`))
	s.endedWell()
}
