package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// stopTime is the longest that the program may take to end when asked. What does not
// end by itself it kills after three seconds; the rest is for a busy machine.
const stopTime = 30 * time.Second

// patience is how long a test waits for what must come true: how fast that is nobody
// promises.
const patience = 3 * time.Minute

// place is where a test's program lives: its own directory for temporary files,
// and a PATH that no other process has, by which everything that it started can
// be found, rsync too.
type place struct {
	dir     string
	p, s    string // the two trees
	state   string
	tmp     string
	environ []string
}

// newPlace makes an empty place. Its path is short, as sockets need, and gone
// with all processes in it at the end of the test.
func newPlace(t *testing.T) *place {
	t.Helper()
	dir, err := os.MkdirTemp("", "gs") //nolint:usetesting // the path of a socket must be short
	if err != nil {
		t.Fatal(err)
	}
	pl := &place{
		dir: dir,
		p:   filepath.Join(dir, "p"), s: filepath.Join(dir, "s"),
		state: filepath.Join(dir, "state"), tmp: filepath.Join(dir, "t"),
	}
	pl.environ = []string{"PATH=" + pl.bin() + ":" + os.Getenv("PATH"), "HOME=" + dir, "TMPDIR=" + pl.tmp}
	t.Cleanup(func() {
		for _, p := range pl.processes(t) {
			p.signal(syscall.SIGKILL)
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	for _, d := range []string{pl.p, pl.tmp, pl.bin()} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return pl
}

func (pl *place) bin() string { return filepath.Join(pl.dir, "bin") }

// write writes a file of the primary. A mirror that runs may see it empty first.
func (pl *place) write(t *testing.T, name string, data []byte) {
	t.Helper()
	path := filepath.Join(pl.p, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, data, 0o644)); err != nil {
		t.Fatal(err)
	}
}

// replace writes a file of the primary in one step, so that one version is seen. Its
// directory must be there.
func (pl *place) replace(t *testing.T, name string, data []byte) {
	t.Helper()
	next := filepath.Join(pl.p, sdk.ReservedPrefix+"next") // no mirror looks at it
	check(t, os.WriteFile(next, data, 0o644))
	check(t, os.Rename(next, filepath.Join(pl.p, name)))
}

// config writes a configuration with one mirror, "m", whose block also has body.
func (pl *place) config(t *testing.T, body string) string {
	t.Helper()
	path := filepath.Join(pl.dir, "m.hcl")
	text := fmt.Sprintf("host {\n  state_dir = %q\n}\nmirror \"m\" {\n  primary = %q\n  secondary = %q\n%s\n}\n", pl.state, pl.p, pl.s, body)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// host is a running program.
type host struct {
	t      *testing.T
	cmd    *exec.Cmd
	stdout syncBuffer
	stderr syncBuffer
	done   chan struct{}
	err    error // once done is closed
}

// command prepares the program.
func (pl *place) command(args ...string) *exec.Cmd {
	self, err := os.Executable()
	if err != nil {
		panic(err)
	}
	return &exec.Cmd{
		Path: self, Args: append([]string{programName}, args...), Env: pl.environ, Dir: pl.dir,
		SysProcAttr: &syscall.SysProcAttr{Setpgid: true}, WaitDelay: time.Second,
	}
}

// start starts a prepared command. What it writes to standard error is kept,
// unless that is given.
func start(t *testing.T, cmd *exec.Cmd, stderr *os.File) *host {
	t.Helper()
	h := &host{t: t, cmd: cmd, done: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = &h.stdout, &h.stderr
	if stderr != nil {
		cmd.Stderr = stderr
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		h.err = cmd.Wait()
		close(h.done)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-h.done
		if t.Failed() {
			t.Logf("%s\n[stdout]\n%s[stderr]\n%s", strings.Join(cmd.Args, " "), h.stdout.String(), h.stderr.String())
		}
	})
	return h
}

func (pl *place) start(t *testing.T, args ...string) *host {
	t.Helper()
	return start(t, pl.command(append([]string{"run", "--state-dir", pl.state}, args...)...), nil)
}

// run runs the program for one turn, to its end.
func (pl *place) run(t *testing.T, code int, args ...string) *host {
	t.Helper()
	h := pl.start(t, append([]string{"--once"}, args...)...)
	h.end(patience, code)
	return h
}

// once runs the program for one turn, which must end well.
func (pl *place) once(t *testing.T, args ...string) {
	t.Helper()
	pl.run(t, 0, args...)
}

// end waits for the end of the program and checks its exit code.
func (h *host) end(limit time.Duration, code int) {
	h.t.Helper()
	select {
	case <-h.done:
	case <-time.After(limit):
		h.t.Fatalf("still running after %s", limit)
	}
	if got := h.cmd.ProcessState.ExitCode(); got != code {
		h.t.Fatalf("exit code %d (%v), want %d", got, h.err, code)
	}
}

// stop asks the program to end and checks that it does so in order.
func (h *host) stop(sig syscall.Signal) {
	h.t.Helper()
	if err := h.cmd.Process.Signal(sig); err != nil {
		h.t.Fatal(err)
	}
	h.end(stopTime, 0)
}

// until polls for something that must come true while the program runs.
func (h *host) until(what string, ok func() bool) {
	h.t.Helper()
	poll(h.t, what, func() bool {
		select {
		case <-h.done:
			h.t.Fatalf("the program ended (%v) before: %s", h.err, what)
		default:
		}
		return ok()
	})
}

// poll waits for what must come true.
func poll(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); !ok(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", patience, what)
		}
	}
}

// inSync reports whether both trees are equal.
func (pl *place) inSync(t *testing.T) bool {
	a, err := describe(pl.p)
	if err != nil {
		t.Fatal(err)
	}
	b, err := describe(pl.s) // may change under our feet
	return err == nil && a == b
}

// clean checks that nothing is left of a program that ended in order.
func (pl *place) clean(t *testing.T) {
	t.Helper()
	pl.noProcess(t)
	left, err := leftovers(pl.s)
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // perhaps it was not to be made
		t.Fatal(err)
	}
	temps, err := os.ReadDir(pl.tmp)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range temps {
		left = append(left, filepath.Join(pl.tmp, e.Name()))
	}
	if len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}

// noProcess checks that no process is left, which the kernel may need a moment
// for.
func (pl *place) noProcess(t *testing.T) {
	t.Helper()
	poll(t, "all processes end", func() bool { return len(pl.processes(t)) == 0 })
}

// syncBuffer may be read while it is written.
type syncBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// said counts how often the log says something.
func (h *host) said(what string) int { return strings.Count(h.stderr.String(), what) }
