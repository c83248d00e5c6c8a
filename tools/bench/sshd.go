package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// sshd is an OpenSSH server on the loopback interface with keys of its own, and
// the home directory of a client that knows it as "far".
type sshd struct {
	dir  string
	port string
	cmd  *exec.Cmd
	road *relay // between client and server, if there is one
}

// newSSHD starts a server that is as far away as a delay each way makes it.
func (b *bench) newSSHD(ctx context.Context, delay time.Duration) (_ *sshd, err error) {
	program, err := exec.LookPath("sshd")
	if err != nil {
		program = "/usr/sbin/sshd" // not in everybody's PATH
	}
	s := &sshd{dir: filepath.Join(b.work, "ssh")}
	defer func() {
		if err != nil {
			_ = s.close()
		}
	}()
	home := filepath.Join(s.dir, ".ssh")
	if err := errors.Join(os.MkdirAll(home, 0o700), os.MkdirAll("/run/sshd", 0o755), os.Symlink(b.bin, s.path("gsyncd-host"))); err != nil {
		return nil, err
	}
	for _, key := range []string{s.path("host"), filepath.Join(home, "key")} {
		if err := command(ctx, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key); err != nil {
			return nil, err
		}
	}
	if s.port, err = freePort(); err != nil {
		return nil, err
	}
	config := strings.Join([]string{
		"ListenAddress 127.0.0.1:" + s.port, "HostKey " + s.path("host"), "AuthorizedKeysFile " + home + "/key.pub",
		"PidFile none", "StrictModes no", "UsePAM no", "PermitRootLogin yes", "PasswordAuthentication no",
		"KbdInteractiveAuthentication no", "SetEnv PATH=" + s.dir + ":/usr/bin:/bin HOME=" + s.dir, "",
	}, "\n")
	if err := os.WriteFile(s.path("config"), []byte(config), 0o600); err != nil {
		return nil, err
	}
	s.cmd = exec.Command(program, "-D", "-e", "-f", s.path("config"))
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := s.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start sshd: %w", err)
	}
	port := s.port
	if delay > 0 {
		if s.road, err = newRelay(s.address(), delay); err != nil {
			return nil, err
		}
		_, port, _ = net.SplitHostPort(s.road.Addr().String())
	}
	config = fmt.Sprintf("Host far\n  HostName 127.0.0.1\n  Port %s\n  User root\n  IdentityFile %s/key\n  IdentitiesOnly yes\n"+
		"  HostKeyAlias far\n  UserKnownHostsFile %s\n", port, home, s.path("known_hosts"))
	public, err := os.ReadFile(s.path("host.pub"))
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(s.path("known_hosts"), append([]byte("far "), public...), 0o600); err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(home, "config"), []byte(config), 0o600); err != nil {
		return nil, err
	}
	return s, s.listens()
}

func (s *sshd) path(name string) string { return filepath.Join(s.dir, name) }

func (s *sshd) address() string { return net.JoinHostPort("127.0.0.1", s.port) }

// listens waits until the server does.
func (s *sshd) listens() error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for range 100 {
		c, err := net.Dial("tcp", s.address())
		if err == nil {
			return c.Close()
		}
		<-tick.C
	}
	return errors.New("sshd does not listen")
}

func (s *sshd) close() error {
	if s.road != nil {
		_ = s.road.Close() // what goes through it ends with the server
	}
	if s.cmd != nil && s.cmd.Process != nil {
		_ = s.cmd.Process.Kill()
		_ = s.cmd.Wait() // it was killed: no news
	}
	return os.RemoveAll(s.dir)
}

// rsync is rsync through the server.
func (s *sshd) rsync() *program {
	shell := "ssh -F " + s.path(".ssh/config")
	return &program{name: "rsync", once: func(primary string, at *secondary) []string {
		return []string{"rsync", "-aHAX", "--delete", "-e", shell, primary + "/", "far:" + at.tree() + "/"}
	}}
}

// ours is gsyncd-host through the server.
func (s *sshd) ours(b *bench) *program {
	env := []string{"env", "HOME=" + s.dir, "SSH_AUTH_SOCK="}
	return &program{
		name: "gsyncd-host", exact: true, ready: ourReady,
		once: func(primary string, at *secondary) []string {
			return slices.Concat(env, []string{b.bin, "run", "--once", "--state-dir", at.state(), primary, "far:" + at.tree()})
		},
		daemon: func(primary string, at *secondary) ([]string, error) {
			argv, err := b.ourDaemon(primary, at, "far:"+at.tree())
			return slices.Concat(env, argv), err
		},
	}
}

func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	return port, err
}
