package ssh

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// farLogin is a login on another machine, played by a shell of this one.
type farLogin struct {
	t     *testing.T
	home  string
	path  string // its PATH
	shell string
	first string // what its start-up files do
}

func newFarLogin(t *testing.T) *farLogin {
	t.Helper()
	return &farLogin{t: t, home: t.TempDir(), path: "/usr/bin:/bin", shell: "sh"}
}

// deploy is one attempt, with nothing but the connection left out.
func (l *farLogin) deploy(d *deployment) (string, bool, error) {
	cmd := exec.CommandContext(l.t.Context(), l.shell, "-c", l.first+d.command())
	cmd.Env = []string{"HOME=" + l.home, "PATH=" + l.path}
	in, err := cmd.StdinPipe()
	if err == nil {
		var out io.Reader
		if out, err = cmd.StdoutPipe(); err == nil {
			if err = cmd.Start(); err == nil {
				at, sent, err := d.talk(in, out)
				in.Close()
				_, _ = io.Copy(io.Discard, out)
				_ = cmd.Wait()
				return at, sent, err
			}
		}
	}
	l.t.Error(err)
	return "", false, err
}

func (l *farLogin) agents() string { return filepath.Join(l.home, ".cache", defaultAgent, "agent") }

// left lists what there is below the cache.
func (l *farLogin) left() []string {
	var out []string
	_ = filepath.WalkDir(l.home, func(path string, e os.DirEntry, _ error) error {
		if e != nil && !e.IsDir() {
			out = append(out, strings.TrimPrefix(path, l.home+"/"))
		}
		return nil
	})
	return out
}

// newTestPayload makes a program of so many bytes.
func newTestPayload(t *testing.T, size int) *payload {
	t.Helper()
	path := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(path, bytes.Repeat([]byte("program\n\x00"), size/9+1)[:size], 0o755); err != nil {
		t.Fatal(err)
	}
	return newPayload(Program{Path: path, Version: "v1.2.3-0.2026+dirty (devel)"})
}

func attempt(t *testing.T, p *payload) *deployment {
	t.Helper()
	d, err := p.newDeployment()
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// deployed checks that the program is at its place, whole and alone.
func (l *farLogin) deployed(p *payload, at string) {
	l.t.Helper()
	want, err := os.ReadFile(p.path)
	if err != nil {
		l.t.Fatal(err)
	}
	if got, err := os.ReadFile(at); err != nil || !bytes.Equal(got, want) {
		l.t.Errorf("%s: %d bytes, %v; want %d", at, len(got), err, len(want))
	}
	for _, path := range []string{at, filepath.Dir(at), l.agents()} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o700 {
			l.t.Errorf("%s: %v, %v", path, info, err)
		}
	}
	if left := l.left(); len(left) != 1 {
		l.t.Errorf("left behind: %q", left)
	}
}

// TestDeploy puts a program there once, and again when it is no longer what it
// was.
func TestDeploy(t *testing.T) {
	t.Parallel()
	for _, shell := range []string{"sh", "bash", "tcsh", "busybox"} {
		t.Run(shell, func(t *testing.T) {
			t.Parallel()
			program, err := exec.LookPath(shell)
			if err != nil {
				if os.Getenv("CI") == "true" {
					t.Fatal(err)
				}
				t.Skipf("SKIPPED, NOT TESTED: there is no %s here; install it", shell)
			}
			l, p := newFarLogin(t), newTestPayload(t, 3<<20)
			l.shell = program
			if bin := filepath.Join(l.home, "bin"); shell != "sh" {
				if err := os.Mkdir(bin, 0o755); err != nil {
					t.Fatal(err)
				}
				l.home = filepath.Join(l.home, "a 'home'")
				switch shell {
				case "bash": // is sh, too
					l.path, err = bin+":"+l.path, os.Symlink(program, filepath.Join(bin, "sh"))
				case "busybox": // is all that there is
					l.path, l.shell = bin, filepath.Join(bin, "sh")
					err = exec.Command(program, "--install", "-s", bin).Run()
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			run := func(wantSent bool) string {
				t.Helper()
				at, sent, err := l.deploy(attempt(t, p))
				if err != nil || sent != wantSent {
					t.Fatalf("sent %v, %v; want %v", sent, err, wantSent)
				}
				l.deployed(p, at)
				return at
			}
			at := run(true)
			if want := filepath.Join(l.agents(), "v1.2.3-0.2026_dirty_devel-"+attempt(t, p).digest.sum[:16], defaultAgent); at != want {
				t.Errorf("at %s, want %s", at, want)
			}
			run(false)
			l.first = "yes have a nice day | head -c 60000; printf 'no newline '; "
			run(false)
			data, err := os.ReadFile(at)
			if err != nil {
				t.Fatal(err)
			}
			data[len(data)/2] ^= 1
			if err := os.WriteFile(at, data, 0o700); err != nil {
				t.Fatal(err)
			}
			run(true)
			if err := os.Chmod(at, 0o600); err != nil {
				t.Fatal(err)
			}
			run(true)
		})
	}
}

// TestDeployTogether lets several do it at once.
func TestDeployTogether(t *testing.T) {
	t.Parallel()
	l, p := newFarLogin(t), newTestPayload(t, 1<<20)
	var all sync.WaitGroup
	for range 8 {
		d := attempt(t, p)
		all.Go(func() {
			if _, _, err := l.deploy(d); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	at, sent, err := l.deploy(attempt(t, p))
	if err != nil || sent {
		t.Errorf("sent %v, %v", sent, err)
	}
	l.deployed(p, at)
}

// TestDeployBad makes it fail: each time there is a message, and nothing is
// left behind.
func TestDeployBad(t *testing.T) {
	t.Parallel()
	script := func(l *farLogin, name, text string) {
		bin := filepath.Join(l.home, "bin")
		if err := errors.Join(os.MkdirAll(bin, 0o755), os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/sh\n"+text+"\n"), 0o755)); err != nil {
			l.t.Fatal(err)
		}
		l.path = bin + ":" + l.path
	}
	for _, c := range []struct {
		name    string
		prepare func(l *farLogin, d *deployment)
		kind    sdk.Kind
		want    string
	}{
		{name: "architecture", prepare: func(l *farLogin, _ *deployment) {
			script(l, "uname", `[ "$1" = -s ] && echo Linux || echo vax`)
		}, want: "the machine is Linux on vax (vax), and this gsyncd-host is for linux on " + runtime.GOARCH},
		{name: "system", prepare: func(l *farLogin, _ *deployment) { script(l, "uname", "echo Plan9") }, want: "the machine is Plan9 on"},
		{name: "no home", prepare: func(l *farLogin, _ *deployment) { l.home = "none" }, want: `HOME is "none"`},
		{name: "home a file", prepare: func(l *farLogin, d *deployment) { l.home = d.path }, want: "cannot be written there (mkdir: "},
		{name: "short", kind: sdk.KindTransient, prepare: func(_ *farLogin, d *deployment) { d.digest.size++ }, want: "is not what was sent (short 100000 bytes)"},
		{name: "changed", kind: sdk.KindTransient, prepare: func(_ *farLogin, d *deployment) { d.digest.sum = strings.Repeat("0", 64) }, want: "is not what was sent (sum)"},
		{name: "nothing to check with", prepare: func(l *farLogin, _ *deployment) {
			for _, name := range []string{"sh", "dd", "uname", "tr"} {
				script(l, name, "PATH=/usr/bin:/bin exec "+name+` "$@"`)
			}
			script(l, "sh", "exec /bin/sh \"$@\"")
			l.path = filepath.Join(l.home, "bin")
			l.shell = "/bin/sh"
		}, want: "none of sha256sum"},
		{name: "failing write", kind: sdk.KindNoSpace, prepare: func(l *farLogin, _ *deployment) {
			script(l, "cat", "head -c 5000; echo cat: write error: No space left on device >&2; exit 1")
		}, want: "there is no space for its 1 MB (cat: write error"},
		{name: "another's directory", prepare: func(l *farLogin, _ *deployment) {
			if os.Geteuid() != 0 {
				l.t.Skip("SKIPPED, NOT TESTED: only root can give directories away")
			}
			if err := errors.Join(os.MkdirAll(l.agents(), 0o755), os.Chown(filepath.Dir(l.agents()), 65534, 65534)); err != nil {
				l.t.Fatal(err)
			}
		}, want: "belongs to somebody else"},
		{name: "another's cache", prepare: func(l *farLogin, _ *deployment) {
			if os.Geteuid() != 0 {
				l.t.Skip("SKIPPED, NOT TESTED: only root can give directories away")
			}
			cache := filepath.Join(l.home, ".cache")
			if err := errors.Join(os.Mkdir(cache, 0o755), os.Chown(cache, 65534, 65534)); err != nil {
				l.t.Fatal(err)
			}
		}, want: "belongs to somebody else"},
		{name: "full disk", kind: sdk.KindNoSpace, prepare: func(l *farLogin, _ *deployment) {
			if os.Geteuid() != 0 {
				l.t.Skip("SKIPPED, NOT TESTED: only root can mount a small file system")
			}
			cache := filepath.Join(l.home, ".cache")
			if err := errors.Join(os.Mkdir(cache, 0o755), syscall.Mount("none", cache, "tmpfs", 0, "size=64k")); err != nil {
				l.t.Fatal(err)
			}
			l.t.Cleanup(func() {
				if err := syscall.Unmount(cache, 0); err != nil {
					l.t.Error(err)
				}
			})
		}, want: "No space left on device"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			l, d := newFarLogin(t), attempt(t, newTestPayload(t, 100_000))
			c.prepare(l, d)
			_, _, err := l.deploy(d)
			if err == nil {
				t.Fatal("it worked")
			}
			err = d.explain("op", "", err)
			if sdk.KindOf(err) != c.kind || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v: %v; want %v with %q", sdk.KindOf(err), err, c.kind, c.want)
			}
			if left, _ := filepath.Glob(filepath.Join(l.agents(), "*", "*")); len(left) > 0 {
				t.Errorf("left behind: %q", left)
			}
		})
	}
}

// TestDeployNoShell meets logins that run something else than what they are
// given.
func TestDeployNoShell(t *testing.T) {
	t.Parallel()
	for _, first := range []string{"exec cat; ", "exit 1; ", "yes noise; ", "echo gsyncd-host-agent 99 v9; exit; "} {
		l, d := newFarLogin(t), attempt(t, newTestPayload(t, 100))
		l.first = "exec 2>/dev/null; " + first
		if first == "yes noise; " {
			l.first = "yes noise | head -c 200000; "
		}
		if first == "exec cat; " {
			l.first = "head -n 20; exit; " // gives the script back
		}
		_, _, err := l.deploy(d)
		var talk *talkError
		if !errors.As(err, &talk) || talk.heard {
			t.Errorf("%s: %v", first, err)
		}
	}
}

// TestDeployPrunes leaves what is young, running, among the last two, or not
// of its own making.
func TestDeployPrunes(t *testing.T) {
	t.Parallel()
	l, p := newFarLogin(t), newTestPayload(t, 100)
	sleep, err := os.ReadFile("/bin/sleep")
	if err != nil {
		t.Fatal(err)
	}
	make := func(name string, days int) {
		t.Helper()
		dir := filepath.Join(l.agents(), name)
		when := time.Now().AddDate(0, 0, -days)
		if err := errors.Join(os.MkdirAll(dir, 0o700), os.WriteFile(dir+"/gsyncd-host", sleep, 0o700), os.WriteFile(dir+"/tmp.x", nil, 0o600), os.Chtimes(dir, when, when)); err != nil {
			t.Fatal(err)
		}
	}
	hex := func(i int) string { return fmt.Sprintf("%016x", i) }
	stays := []string{"v1-" + hex(1), "v1-" + hex(2), "v1-" + hex(3), "v1-" + hex(4), "v1-" + hex(5)[1:], "notes", "v1 x-" + hex(6), "v1-" + strings.Repeat("g", 16), "v1-" + hex(7)}
	days := []int{3, 10, 29, 90, 90, 90, 90, 90, 90}
	for i, name := range stays {
		make(name, days[i])
	}
	if err := os.WriteFile(filepath.Join(l.agents(), "v1-"+hex(7), "mine"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	make("v1-"+hex(8), 33)
	make("v2-rc.1-"+hex(9), 400)
	running := exec.Command(filepath.Join(l.agents(), "v1-"+hex(4), "gsyncd-host"), "60")
	if err := running.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = running.Process.Kill()
		_ = running.Wait()
	}()
	if _, _, err := l.deploy(attempt(t, p)); err != nil {
		t.Fatal(err)
	}
	for _, name := range stays {
		if _, err := os.Stat(filepath.Join(l.agents(), name)); err != nil {
			t.Errorf("gone: %v", err)
		}
	}
	if _, err := os.Stat(filepath.Join(l.agents(), "v1-"+hex(7), "mine")); err != nil {
		t.Errorf("gone: %v", err)
	}
	entries, err := os.ReadDir(l.agents())
	if err != nil || len(entries) != len(stays)+1 {
		t.Errorf("%v, %v", entries, err)
	}
}
