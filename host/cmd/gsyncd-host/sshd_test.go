package main

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
	"golang.org/x/sys/unix"
)

// sshd is a real OpenSSH server of a test's own, on the loopback interface.
type sshd struct {
	t       *testing.T
	pl      *place
	pid     int
	port    string
	user    string
	hostKey ssh.PublicKey
}

// newFar makes a place with a server.
func newFar(t *testing.T) (*place, *sshd) {
	t.Helper()
	pl := newPlace(t)
	return pl, newSSHD(t, pl)
}

// newSSHD starts a server for a place, and gives the place's user a key for it,
// its host key, and the name "far" for it. In its sessions gsyncd-host is the
// test binary.
func newSSHD(t *testing.T, pl *place) *sshd {
	t.Helper()
	return newSSHDAs(t, pl, nil)
}

// newSSHDAs also changes how the server is started.
func newSSHDAs(t *testing.T, pl *place, change func(*sshd, *exec.Cmd)) *sshd {
	t.Helper()
	program, err := exec.LookPath("sshd")
	if err != nil {
		program = "/usr/sbin/sshd"
	}
	if _, err := os.Stat(program); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("no sshd: install openssh-server")
		}
		t.Skip("SKIPPED, NOT TESTED: there is no sshd here; install openssh-server")
	}
	if os.Geteuid() == 0 { // where sshd locks itself in before a login
		check(t, os.MkdirAll("/run/sshd", 0o755))
	}
	me, err := user.Current()
	check(t, err)
	s := &sshd{t: t, pl: pl, user: me.Username, port: freePort(t)}
	dir := filepath.Join(pl.dir, "sshd")
	check(t, errors.Join(os.Mkdir(dir, 0o700), os.Mkdir(pl.home(), 0o700)))
	s.hostKey = newKey(t, filepath.Join(dir, "host"), "")
	client := newKey(t, filepath.Join(pl.home(), "key"), "")
	s.file(filepath.Join(dir, "authorized"), string(ssh.MarshalAuthorizedKey(client)))
	s.file(filepath.Join(pl.home(), "known_hosts"), knownhosts.Line([]string{knownhosts.Normalize(s.address())}, s.hostKey)+"\n")
	s.clientConfig("")
	s.program("#!/bin/bash\n" + s.wrapper())
	// Short, since a socket's address is.
	runtime, err := os.MkdirTemp("", "run") //nolint:usetesting // its name is too long
	check(t, err)
	t.Cleanup(func() { os.RemoveAll(runtime) })
	config := filepath.Join(dir, "config")
	s.file(config, strings.Join([]string{
		"ListenAddress 127.0.0.1:" + s.port, "ListenAddress [::1]:" + s.port, "HostKey " + dir + "/host", "AuthorizedKeysFile " + dir + "/authorized",
		"PidFile none", "StrictModes no", "UsePAM no", "PermitRootLogin yes", "PasswordAuthentication no",
		"KbdInteractiveAuthentication no", "MaxStartups 100",
		// The home is the test's, so that no start-up file of the user's shell
		// counts, and so is the one gsyncd-host in the PATH.
		"SetEnv PATH=" + pl.bin() + ":/usr/bin:/bin:/usr/sbin:/sbin HOME=" + pl.dir + " XDG_RUNTIME_DIR=" + runtime, "",
	}, "\n"))
	cmd := exec.Command(program, "-D", "-e", "-f", config)
	if change != nil {
		change(s, cmd)
	}
	var said syncBuffer
	cmd.Stderr = &said
	check(t, cmd.Start())
	s.pid = cmd.Process.Pid
	t.Cleanup(func() {
		for _, p := range s.sessions() {
			p.signal(syscall.SIGKILL)
		}
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("[sshd]\n%s", said.String())
		}
	})
	poll(t, "sshd listens", func() bool {
		c, err := net.Dial("tcp", s.address())
		if err == nil {
			c.Close()
		}
		return err == nil
	})
	return s
}

// wrapper is a line of a shell that becomes the program.
func (s *sshd) wrapper() string {
	self, err := os.Executable()
	check(s.t, err)
	return fmt.Sprintf("exec -a %s %s \"$@\"\n", programName, self)
}

// home is where the user's ssh keeps its things.
func (pl *place) home() string { return filepath.Join(pl.dir, ".ssh") }

func (s *sshd) address() string { return net.JoinHostPort("127.0.0.1", s.port) }

// clientConfig writes the user's configuration of ssh, with more at its end.
func (s *sshd) clientConfig(more string) {
	s.file(filepath.Join(s.pl.home(), "config"), fmt.Sprintf(
		"Host far\n  HostName 127.0.0.1\nHost far 127.0.0.1\n  Port %s\n  User %s\n  IdentityFile ~/.ssh/key\n%s", s.port, s.user, more))
}

func (s *sshd) file(path, text string) {
	s.t.Helper()
	check(s.t, os.WriteFile(path, []byte(text), 0o600))
}

// far is the secondary's directory as an ssh URL.
func (s *sshd) far() string { return "far:" + s.pl.s }

// sessions lists the server's processes, one or two a connection.
func (s *sshd) sessions() []proc {
	var out []proc
	of := map[int]bool{s.pid: true}
	for found := true; found; {
		found = false
		dirs, _ := filepath.Glob("/proc/[0-9]*")
		for _, dir := range dirs {
			pid, _ := strconv.Atoi(filepath.Base(dir))
			stat, err := os.ReadFile(filepath.Join(dir, "stat"))
			if err != nil || of[pid] {
				continue
			}
			name, rest, _ := strings.Cut(string(stat), ") ")
			fields := strings.Fields(rest)
			parent, _ := strconv.Atoi(fields[1])
			if of[parent] && fields[0] != "Z" && strings.HasSuffix(name, "(sshd") {
				of[pid], found = true, true
				out = append(out, proc{pid: pid})
			}
		}
	}
	return out
}

// gone waits until no session and no process of the program is left.
func (s *sshd) gone() {
	s.t.Helper()
	poll(s.t, "all sessions end", func() bool { return len(s.sessions()) == 0 })
	s.pl.clean(s.t)
}

// endedWell checks that the trees are equal and that nothing is left.
func (s *sshd) endedWell() {
	s.t.Helper()
	if !s.pl.inSync(s.t) {
		s.t.Error("the trees differ")
	}
	s.gone()
}

// behind puts the server behind a network that delays, each way.
func (s *sshd) behind(delay time.Duration) *relay {
	s.t.Helper()
	r := newRelay(s.t, s.address(), delay)
	s.port = r.port()
	s.clientConfig("  UserKnownHostsFile none\n  GlobalKnownHostsFile none\n  StrictHostKeyChecking no\n  ConnectTimeout 5\n")
	return r
}

// agentProc is for find: the far agent.
func agentProc(p proc) bool { return len(p.args) > 1 && p.args[1] == "agent" }

// freePort gives a port that nobody else is given until the test ends: it is taken,
// at both addresses, and nobody listens there. A server that says it may use it again
// may, as sshd does.
func freePort(t *testing.T) string {
	t.Helper()
	for {
		port, err := take(t, unix.AF_INET, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}})
		check(t, err)
		_, err = take(t, unix.AF_INET6, &unix.SockaddrInet6{Port: port, Addr: [16]byte{15: 1}})
		if !errors.Is(err, unix.EADDRINUSE) { // any other: there is no IPv6
			return strconv.Itoa(port)
		}
	}
}

// take takes an address until the test ends, and gives its port.
func take(t *testing.T, family int, at unix.Sockaddr) (int, error) {
	t.Helper()
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	t.Cleanup(func() { _ = unix.Close(fd) })
	if err := errors.Join(unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1), unix.Bind(fd, at)); err != nil {
		return 0, err
	}
	got, err := unix.Getsockname(fd)
	if v4, ok := got.(*unix.SockaddrInet4); ok {
		return v4.Port, err
	}
	return 0, err
}

// newKey makes a private key, with a passphrase if that is not empty.
func newKey(t *testing.T, path, passphrase string) ssh.PublicKey {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	check(t, err)
	block, err := ssh.MarshalPrivateKey(private, "")
	check(t, err)
	check(t, os.WriteFile(path, pem.EncodeToMemory(block), 0o600))
	if passphrase != "" {
		// With one round: the usual 16 take seconds under the race detector, each time.
		if out, err := exec.Command("ssh-keygen", "-q", "-p", "-a", "1", "-P", "", "-N", passphrase, "-f", path).CombinedOutput(); err != nil {
			t.Fatalf("ssh-keygen: %v\n%s", err, out)
		}
	}
	key, err := ssh.NewPublicKey(public)
	check(t, err)
	return key
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
