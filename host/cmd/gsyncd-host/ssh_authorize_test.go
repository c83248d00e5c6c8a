package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/crypto/ssh"
)

// authorize lets the place's key do what the options say and nothing else.
func (s *sshd) authorize(options ...string) {
	s.t.Helper()
	pub := filepath.Join(s.pl.dir, "sshd", "key.pub")
	data, err := os.ReadFile(filepath.Join(s.pl.home(), "key"))
	check(s.t, err)
	private, err := ssh.ParsePrivateKey(data)
	check(s.t, err)
	s.file(pub, string(ssh.MarshalAuthorizedKey(private.PublicKey())))
	h := start(s.t, s.pl.command(append([]string{"authorize", pub}, options...)...), nil)
	h.end(patience, 0)
	self, err := os.Executable()
	check(s.t, err)
	// The test binary is the program only if it is called so.
	line := strings.Replace(h.stdout.String(), self+" ", filepath.Join(s.pl.bin(), programName)+" ", 1)
	s.file(filepath.Join(s.pl.dir, "sshd", "authorized"), line)
}

// ask runs a command with the place's key and returns what it wrote and its
// exit code.
func (s *sshd) ask(command string) (stdout, stderr string, code int) {
	s.t.Helper()
	data, err := os.ReadFile(filepath.Join(s.pl.home(), "key"))
	check(s.t, err)
	private, err := ssh.ParsePrivateKey(data)
	check(s.t, err)
	client, err := ssh.Dial("tcp", s.address(), &ssh.ClientConfig{
		User: s.user, Auth: []ssh.AuthMethod{ssh.PublicKeys(private)}, HostKeyCallback: ssh.FixedHostKey(s.hostKey),
	})
	check(s.t, err)
	defer client.Close()
	session, err := client.NewSession()
	check(s.t, err)
	defer session.Close()
	var out, said bytes.Buffer
	session.Stdout, session.Stderr = &out, &said
	if command == "" {
		if err = session.Shell(); err == nil {
			err = session.Wait()
		}
	} else {
		err = session.Run(command)
	}
	var exit *ssh.ExitError
	if errors.As(err, &exit) {
		code = exit.ExitStatus()
	} else {
		check(s.t, err)
	}
	return out.String(), said.String(), code
}

// all is what a program said, with no line breaks.
func (h *host) all() string {
	return strings.Join(strings.Fields(h.stdout.String()+h.stderr.String()), " ")
}

func (h *host) wants(text string) {
	h.t.Helper()
	if !strings.Contains(h.all(), text) {
		h.t.Errorf("not said: %s\n%s", text, h.all())
	}
}

func content(t *testing.T, path, want string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil || string(data) != want {
		t.Errorf("%s holds %q (%v), want %q", path, data, err, want)
	}
}

// TestSSHAuthorize mirrors with a key that may not remove, and then does with
// that key what a thief would.
func TestSSHAuthorize(t *testing.T) {
	t.Parallel()
	pl := newPlace(t)
	pl.s = filepath.Join(pl.dir, "it's the \"far\" one")
	s := newSSHD(t, pl)
	far := "ssh://far:file://" + strings.ReplaceAll(pl.s, " ", "%20")
	s.authorize("--root", pl.s, "--no-delete", "--from", "127.0.0.0/8")
	pl.write(t, "d/f", []byte("f"))
	pl.write(t, "gone/with", []byte("the wind"))
	pl.write(t, "type", []byte("a file"))
	pl.once(t, pl.p, far)
	if !pl.inSync(t) {
		t.Fatal("the trees differ")
	}
	s.gone()

	check(t, os.RemoveAll(filepath.Join(pl.p, "gone")))
	check(t, os.Rename(filepath.Join(pl.p, "d"), filepath.Join(pl.p, "moved")))
	pl.write(t, "moved/f", []byte("newer"))
	h := pl.run(t, 0, pl.p, far)
	h.wants("the secondary does not let this mirror remove or move anything")
	content(t, filepath.Join(pl.s, "gone/with"), "the wind")
	content(t, filepath.Join(pl.s, "d/f"), "f")
	content(t, filepath.Join(pl.s, "moved/f"), "newer")
	s.gone()

	check(t, os.Remove(filepath.Join(pl.p, "type")))
	pl.write(t, "type/f", []byte("in a directory"))
	h = pl.run(t, 3, pl.p, far)
	h.wants("a file stands in the way, and the secondary lets nothing be removed")
	content(t, filepath.Join(pl.s, "type"), "a file")
	s.gone()

	other := filepath.Join(pl.dir, "other")
	h = pl.run(t, 1, pl.p, "far:"+other)
	h.wants("start gsyncd-host on far: refused file://" + other + ": it is not a root of this key")
	if _, err := os.Stat(other); err == nil {
		t.Error("another root was made")
	}
	for _, command := range []string{
		"", "sh", "id", "rm -rf '" + pl.s + "'", "sh -c 'id'", "scp -t /tmp", programName + " run / /tmp",
		programName + " agent -- " + pl.dir, programName + " agent --root / -- " + pl.dir, "cat /etc/passwd; id",
		"'" + strings.Repeat("x", 10000),
	} {
		stdout, stderr, code := s.ask(command)
		if code != 1 || stdout != "" || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, "this key may only start gsyncd-host agent for file:///") {
			t.Errorf("%.100q: code %d, stdout %q, stderr %q", command, code, stdout, stderr)
		}
	}
	s.gone()
}

// TestSSHAuthorizeAppendOnly brings new files, and no other version of one.
func TestSSHAuthorizeAppendOnly(t *testing.T) {
	t.Parallel()
	pl, s := newFar(t)
	s.authorize("--root", pl.s, "--append-only")
	pl.write(t, "d/f", []byte("f"))
	check(t, os.Symlink("f", filepath.Join(pl.p, "d/l")))
	check(t, os.Link(filepath.Join(pl.p, "d/f"), filepath.Join(pl.p, "d/g")))
	pl.once(t, pl.p, s.far())
	s.endedWell()
	check(t, os.RemoveAll(pl.state)) // all is looked at, and what is equal is left alone
	pl.once(t, pl.p, s.far())
	s.gone()
	pl.write(t, "d/f", []byte("changed"))
	pl.write(t, "d/new", []byte("new"))
	h := pl.run(t, 3, pl.p, s.far())
	h.wants("the far side does not let this key replace what is there (--append-only)")
	content(t, filepath.Join(pl.s, "d/f"), "f")
	content(t, filepath.Join(pl.s, "d/new"), "new")
	s.gone()
}

// TestSSHAuthorizeMaxBytes stops where the tree is full.
func TestSSHAuthorizeMaxBytes(t *testing.T) {
	t.Parallel()
	pl, s := newFar(t)
	s.authorize("--root", pl.s, "--max-bytes", "1MB")
	pl.write(t, "small", []byte("small"))
	pl.once(t, pl.p, s.far())
	s.gone()
	pl.write(t, "large", make([]byte, 2<<20))
	h := pl.run(t, 3, pl.p, s.far())
	h.wants("the far side lets this key fill 1000000 bytes (--max-bytes)")
	if _, err := os.Stat(filepath.Join(pl.s, "large")); err == nil {
		t.Error("the file is there")
	}
	s.gone()
}

// TestSSHAuthorizeReadOnly mirrors from a tree, and not to it.
func TestSSHAuthorizeReadOnly(t *testing.T) {
	t.Parallel()
	pl, s := newFar(t)
	s.authorize("--root", pl.p, "--read-only")
	pl.write(t, "f", []byte("f"))
	pl.once(t, "far:"+pl.p, pl.s)
	s.endedWell()
	h := pl.run(t, 1, pl.s, "far:"+pl.p)
	h.wants("the far side does not let this key change anything (--read-only)")
	s.gone()
}

// TestSSHAuthorizeOrdinaryUser holds a key of an account without rights to all
// of it at once.
func TestSSHAuthorizeOrdinaryUser(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED, NOT TESTED: only root can become somebody else")
	}
	pl := newPlace(t)
	s := newSSHDAs(t, pl, asOrdinaryUser)
	s.authorize("--root", pl.s, "--no-delete", "--max-bytes", "1MB", "--from", "127.0.0.1")
	run := func(code int, far string) *host {
		t.Helper()
		h := pl.run(t, code, pl.p, far)
		s.gone()
		return h
	}
	pl.write(t, "d/f", []byte("f"))
	pl.write(t, "gone", []byte("with the wind"))
	run(0, s.far())
	for _, name := range []string{"", "d", "d/f"} {
		if st, err := os.Lstat(filepath.Join(pl.s, name)); err != nil || st.Sys().(*syscall.Stat_t).Uid != nobody {
			t.Errorf("%s: %v, %v", name, st, err)
		}
	}

	check(t, os.Remove(filepath.Join(pl.p, "gone")))
	pl.write(t, "d/f", []byte("newer"))
	run(0, s.far()).wants("the secondary does not let this mirror remove or move anything")
	content(t, filepath.Join(pl.s, "gone"), "with the wind")
	content(t, filepath.Join(pl.s, "d/f"), "newer")

	pl.write(t, "large", make([]byte, 2<<20))
	pl.write(t, "small", []byte("small"))
	run(3, s.far()).wants("the far side lets this key fill 1000000 bytes (--max-bytes)")
	content(t, filepath.Join(pl.s, "small"), "small")
	if _, err := os.Stat(filepath.Join(pl.s, "large")); err == nil {
		t.Error("there is more than the key may fill")
	}

	// Where the account could write, and where nobody stands in its way but the
	// key's line.
	other := filepath.Join(pl.dir, "other")
	for _, root := range []string{other, filepath.Join(pl.s, "d"), pl.dir} {
		run(1, "far:"+root).wants("refused file://" + root + ": it is not a root of this key")
	}
	if _, err := os.Stat(other); err == nil {
		t.Error("another root was made")
	}
	if stdout, stderr, code := s.ask("id"); code != 1 || stdout != "" || !strings.Contains(stderr, "this key may only start gsyncd-host agent for file:///") {
		t.Errorf("code %d, stdout %q, stderr %q", code, stdout, stderr)
	}
	s.gone()
}

// TestSSHAuthorizeFrom comes from a network that is not allowed: the server says
// so, and where it does not, the agent.
func TestSSHAuthorizeFrom(t *testing.T) {
	t.Parallel()
	pl, s := newFar(t)
	s.authorize("--root", pl.s, "--from", "127.0.0.2")
	pl.write(t, "f", []byte("f"))
	h := pl.run(t, 1, pl.p, s.far())
	h.wants("the server takes none of the keys")
	keys := filepath.Join(pl.dir, "sshd", "authorized")
	data, err := os.ReadFile(keys)
	check(t, err)
	s.file(keys, strings.Replace(string(data), `from="127.0.0.2/32",`, "", 1))
	h = pl.run(t, 1, pl.p, s.far())
	h.wants("the client is at 127.0.0.1, and this key is for clients in 127.0.0.2/32 alone")
	if _, err := os.Stat(pl.s); err == nil {
		t.Error("the tree was made")
	}
	s.gone()
}

// TestSSHAuthorizeRsync: rsync serves a restricted key too, but not where what
// it writes cannot be counted.
func TestSSHAuthorizeRsync(t *testing.T) {
	t.Parallel()
	needRsync(t)
	pl, s := newFar(t)
	s.authorize("--root", pl.s, "--no-delete")
	pl.largeChange(t, s)
	h := pl.run(t, 0, pl.p, s.far())
	h.wants("rsync: 1 file")
	s.endedWell()
	s.authorize("--root", pl.s, "--max-bytes", "1GiB")
	pl.largeChange(t, s)
	h = pl.run(t, 0, pl.p, s.far())
	h.wants("what it writes cannot be counted, and this key has --max-bytes")
	s.endedWell()
}

// TestSSHAuthorizeResume loses the connection of a restricted session, which
// goes on.
func TestSSHAuthorizeResume(t *testing.T) {
	t.Parallel()
	pl, s := newFar(t)
	s.authorize("--root", pl.s, "--append-only", "--from", "127.0.0.1")
	r := s.behind(0)
	h := s.underWay("60s")
	agent := s.agent()
	r.reset()
	h.until("the mirror goes on", func() bool { return h.said("the connection is back") > 0 && pl.inSync(t) })
	// Agents and relays of a restricted key look alike.
	if len(pl.find(t, func(p proc) bool { return agentProc(p) && p.pid == agent })) == 0 {
		t.Error("another agent serves")
	}
	h.stop(syscall.SIGTERM)
	s.gone()
}
