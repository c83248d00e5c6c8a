package process

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/hashicorp/go-plugin/runner"
	"golang.org/x/sys/unix"
)

const (
	// drainTime is how long the output of a dead plugin may still be held open
	// by a process that left its group.
	drainTime = time.Second
	// maxSocket is the longest path of a unix socket, and socketName the
	// longest name that go-plugin gives to one.
	maxSocket  = 107
	socketName = len("/plugin4294967295")
)

// processRunner is the process under go-plugin. It differs from go-plugin's own
// in what happens around the process's end:
//
//   - The kernel kills the plugin when the thread that started it ends
//     (Pdeathsig), so that thread is kept until the plugin has ended.
//   - The plugin has a process group of its own, out of reach of the terminal's
//     signals. When it ends, however it does, the rest of its group is killed,
//     while the number of the group cannot yet have been given to others.
//   - A process that outlives it with the output pipes in its hands does not
//     keep the end from being noticed.
//   - Standard input is empty, not the host's.
type processRunner struct {
	cmd    *exec.Cmd
	files  []*os.File // that it inherits, behind the standard ones
	dir    string     // of sockets
	said   *tail
	stdout *os.File
	stderr *os.File
	done   chan struct{} // closed when the process has been reaped

	mu      sync.Mutex
	started bool
	reaped  bool
	doomed  bool // killed, perhaps before the start
	waitErr error
}

var _ runner.Runner = (*processRunner)(nil)

// Start implements [runner.Runner].
func (r *processRunner) Start(context.Context) error {
	if n := len(r.dir) + socketName; n > maxSocket {
		return fmt.Errorf("socket directory %s: path of a socket would have %d bytes, more than %d", r.dir, n, maxSocket)
	}
	outR, outW, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("make pipe: %w", err)
	}
	errR, errW, err := os.Pipe()
	if err != nil {
		return errors.Join(fmt.Errorf("make pipe: %w", err), outR.Close(), outW.Close())
	}
	r.stdout, r.stderr = outR, errR
	r.cmd.Stdin, r.cmd.Stdout, r.cmd.Stderr = nil, outW, errW
	r.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}

	started := make(chan error)
	go r.live(started)
	err = <-started
	err = errors.Join(err, outW.Close(), errW.Close())
	if err != nil {
		_, _ = outR.Close(), errR.Close()
	}
	return err
}

// live starts the process and waits for its end, on one thread.
func (r *processRunner) live(started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	r.mu.Lock()
	if r.doomed {
		r.mu.Unlock()
		started <- errors.New("killed before the start")
		return
	}
	if err := r.cmd.Start(); err != nil {
		r.mu.Unlock()
		started <- err
		return
	}
	r.started = true
	pid := r.cmd.Process.Pid
	r.mu.Unlock()
	started <- nil

	// Wait without reaping: until it is reaped the pid is not given to others.
	for {
		err := unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	r.mu.Lock()
	_ = unix.Kill(-pid, unix.SIGKILL)
	r.waitErr = r.cmd.Wait()
	r.reaped = true
	r.mu.Unlock()
	_ = r.stdout.SetReadDeadline(time.Now().Add(drainTime))
	_ = r.stderr.SetReadDeadline(time.Now().Add(drainTime))
	close(r.done)
}

// kill ends the process and its group at once. It is safe at any time.
func (r *processRunner) kill() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.doomed = true
	if !r.started || r.reaped {
		return
	}
	_ = unix.Kill(-r.cmd.Process.Pid, unix.SIGKILL)
	_ = r.cmd.Process.Kill()
}

// pid returns the process id, 0 before the start.
func (r *processRunner) pid() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.started {
		return 0
	}
	return r.cmd.Process.Pid
}

// Wait implements [runner.AttachedRunner].
func (r *processRunner) Wait(ctx context.Context) error {
	select {
	case <-r.done:
	case <-ctx.Done():
		return ctx.Err()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.waitErr
}

// Kill implements [runner.AttachedRunner].
func (r *processRunner) Kill(context.Context) error {
	r.kill()
	return nil
}

// Diagnose implements [runner.Runner].
func (r *processRunner) Diagnose(context.Context) string {
	return "This program is no plugin, or not one for this machine."
}

// Stdout implements [runner.Runner].
func (r *processRunner) Stdout() io.ReadCloser { return deadlineIsEnd{r.stdout} }

// Stderr implements [runner.Runner].
func (r *processRunner) Stderr() io.ReadCloser { return deadlineIsEnd{r.stderr} }

// Name implements [runner.Runner].
func (r *processRunner) Name() string { return r.cmd.Path }

// ID implements [runner.AttachedRunner].
func (r *processRunner) ID() string {
	if pid := r.pid(); pid != 0 {
		return strconv.Itoa(pid)
	}
	return ""
}

// PluginToHost implements [runner.AddrTranslator]. A plugin says itself where it
// listens; anywhere but in the directory that it was given is refused.
func (r *processRunner) PluginToHost(network, addr string) (string, string, error) {
	if network != "unix" || filepath.Dir(addr) != r.dir {
		return "", "", fmt.Errorf("plugin listens at %s %q, outside of its directory", network, addr)
	}
	return network, addr, nil
}

// HostToPlugin implements [runner.AddrTranslator].
func (r *processRunner) HostToPlugin(network, addr string) (string, string, error) {
	return network, addr, nil
}

// deadlineIsEnd reads a pipe to its end or its deadline.
type deadlineIsEnd struct{ *os.File }

// Read implements [io.Reader].
func (d deadlineIsEnd) Read(p []byte) (int, error) {
	n, err := d.File.Read(p)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = io.EOF
	}
	return n, err
}
