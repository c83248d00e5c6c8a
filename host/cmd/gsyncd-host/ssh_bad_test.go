package main

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

// TestSSHBad makes everything go wrong that can: each has one message, which
// names the cure, and nothing is left behind.
func TestSSHBad(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		prepare func(t *testing.T, s *sshd)
		code    int
		far     string   // the secondary, if it is not the usual one
		driver  string   // settings of the driver
		want    []string // in the message
	}{
		{name: "unknown host", code: 1, prepare: func(_ *testing.T, s *sshd) {
			s.file(filepath.Join(s.pl.home(), "known_hosts"), "")
		}, want: []string{"the host is not known", "HOSTKEY", "ssh-keyscan -p PORT 127.0.0.1 >> HOME/known_hosts"}},
		{name: "changed host key", code: 1, prepare: func(t *testing.T, s *sshd) {
			other := newKey(t, filepath.Join(s.pl.dir, "other"), "")
			s.file(filepath.Join(s.pl.home(), "known_hosts"), "\n"+knownhosts.Line([]string{knownhosts.Normalize(s.address())}, other)+"\n")
			s.file(filepath.Join(s.pl.dir, "want"), ssh.FingerprintSHA256(other))
		}, want: []string{"the host's key has changed", "it shows ssh-ed25519 HOSTKEY", "HOME/known_hosts:2 has ssh-ed25519 OTHER"}},
		{name: "no known_hosts but a directory", code: 1, prepare: func(t *testing.T, s *sshd) {
			known := filepath.Join(s.pl.home(), "known_hosts")
			check(t, errors.Join(os.Remove(known), os.Mkdir(known, 0o700)))
		}, want: []string{"a file of known hosts cannot be used; mend it", "HOME/known_hosts: is a directory"}},
		{name: "refused key", code: 1, prepare: func(t *testing.T, s *sshd) {
			newKey(t, filepath.Join(s.pl.home(), "key"), "")
		}, want: []string{"the server takes none of the keys ssh-ed25519 SHA256:", "ssh-copy-id"}},
		{name: "passphrase", code: 2, prepare: func(t *testing.T, s *sshd) {
			newKey(t, filepath.Join(s.pl.home(), "key"), "secret")
		}, want: []string{"key has a passphrase", "ssh-add HOME/key"}},
		{name: "no key", code: 2, prepare: func(t *testing.T, s *sshd) {
			check(t, os.Remove(filepath.Join(s.pl.home(), "key")))
		}, want: []string{"there is no key to log in to", "ssh-keygen", "no such file"}},
		{name: "no agent", code: 1, driver: "deploy = false", prepare: func(t *testing.T, s *sshd) {
			check(t, os.Remove(filepath.Join(s.pl.bin(), programName)))
		}, want: []string{"there is no gsyncd-host", "install gsyncd-host there", "remote_agent, or let it be put there: deploy = true"}},
		{name: "no agent where it was said to be", code: 1, driver: `remote_agent = "/opt/none"`, want: []string{"there is no /opt/none", "or say where it is with remote_agent"}},
		{name: "another architecture", code: 1, driver: "deploy = false", prepare: func(t *testing.T, s *sshd) {
			s.program("\x7fELF no program of this machine\x00")
		}, want: []string{"cannot be executed", "architecture"}},
		{name: "another version", code: 1, driver: "deploy = false", prepare: func(t *testing.T, s *sshd) {
			s.program("#!/bin/sh\necho gsyncd-host-agent 99 v9.9.9\ncat >/dev/null\n")
		}, want: []string{"gsyncd-host v9.9.9) speaks protocol 99", "; this one is older: update it", "install the same version", "deploy = true"}},
		{name: "another program", code: 1, driver: "deploy = false", prepare: func(t *testing.T, s *sshd) {
			s.program("#!/bin/sh\necho 'unknown command: agent' >&2\nexit 2\n")
		}, want: []string{"exit code 2", "it said: unknown command: agent", "is the right program called"}},
		{name: "an older program", code: 1, driver: "deploy = false", prepare: func(_ *testing.T, s *sshd) {
			s.program(olderProgram)
		}, want: []string{"it said: error: unknown flag: --silence", "Install the same version of gsyncd-host on both machines", "deploy = true"}},
		{name: "noise without end", code: 1, prepare: func(t *testing.T, s *sshd) {
			s.program("#!/bin/sh\nexec yes welcome\n")
		}, want: []string{"what answers is no agent", "it printed \"welcome welcome", ".bashrc"}},
		{name: "silent agent", code: 1, prepare: func(t *testing.T, s *sshd) {
			s.program("#!/bin/sh\necho hello\nexec cat >/dev/null\n")
			s.clientConfig("  ConnectTimeout 3\n") // a login may take a while
		}, want: []string{"no greeting within 3s", `it printed "hello"`}},
		{name: "far path missing", code: 1, far: "/missing/mirror", want: []string{`neither "/missing/mirror" nor the directory above it exists`, `Create "/missing"`}},
		{name: "far path a file", code: 1, prepare: func(t *testing.T, s *sshd) {
			s.file(s.pl.s, "no directory")
		}, want: []string{`/s" is not a directory`}},
		{name: "refused connection", code: 1, prepare: func(t *testing.T, s *sshd) {
			s.port = freePort(t)
			s.clientConfig("")
		}, want: []string{"the connection was refused", "on port PORT"}},
		{name: "timeout", code: 1, prepare: func(t *testing.T, s *sshd) {
			l, err := net.Listen("tcp", "127.0.0.1:0") // which takes connections and says nothing
			check(t, err)
			t.Cleanup(func() { l.Close() })
			_, s.port, err = net.SplitHostPort(l.Addr().String())
			check(t, err)
			s.clientConfig("  ConnectTimeout 1\n")
		}, want: []string{"the ssh server did not finish the login within 1s"}},
		{name: "proxy command", code: 2, prepare: func(_ *testing.T, s *sshd) {
			s.clientConfig("  ProxyCommand nc %h %p\n")
		}, want: []string{"ProxyCommand for far, which is not supported", "use ProxyJump"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			pl, s := newFar(t)
			if c.prepare != nil {
				c.prepare(t, s)
			}
			far := s.far()
			if c.far != "" {
				far = "far:" + c.far
			}
			pl.write(t, "f", []byte("f"))
			h := pl.start(t, s.mirrorArgs(far, c.driver)...)
			h.end(patience, c.code)
			other, _ := os.ReadFile(filepath.Join(pl.dir, "want"))
			for _, want := range c.want {
				h.wants(strings.NewReplacer("HOSTKEY", ssh.FingerprintSHA256(s.hostKey), "OTHER", string(other), "PORT", s.port, "HOME", pl.home()).Replace(want))
			}
			t.Log(h.all())
			s.gone()
		})
	}
}

// program replaces what is called gsyncd-host over there.
func (s *sshd) program(text string) {
	s.t.Helper()
	path := filepath.Join(s.pl.bin(), programName)
	check(s.t, errors.Join(writeProgram(path, []byte(text)), os.Chmod(path, 0o755)))
}

// TestSSHNoise logs in to a shell that prints things before the agent speaks.
func TestSSHNoise(t *testing.T) {
	t.Parallel()
	pl, s := newFar(t)
	s.program("#!/bin/bash\nyes 'have a nice day' | head -c 60000\nprintf 'no newline '\n" + s.wrapper())
	pl.write(t, "f", []byte("f"))
	pl.once(t, pl.p, s.far())
	s.endedWell()
}

// TestSSHAcceptNew takes the key of a host that was not known, and keeps it.
func TestSSHAcceptNew(t *testing.T) {
	t.Parallel()
	pl, s := newFar(t)
	known := filepath.Join(pl.home(), "known_hosts")
	check(t, os.Remove(known))
	s.clientConfig("  StrictHostKeyChecking accept-new\n")
	pl.write(t, "f", []byte("f"))
	pl.once(t, pl.p, s.far())
	s.clientConfig("Match user nobody\n  User nobody\n")
	h := pl.run(t, 0, pl.p, s.far())
	if h.said("Match is not supported") == 0 {
		t.Error("nobody said that Match is not supported")
	}
	s.gone()
}
