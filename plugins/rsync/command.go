package rsync

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"time"
)

// command is one run of rsync, in a process group of its own.
type command struct {
	program string
	args    []string
	stdin   []byte
	timeout time.Duration     // without a sign of life
	extra   func() int64      // another sign of life than the processes' I/O
	line    func(line []byte) // called from run's goroutine, for each line of standard output
	tick    func()            // called from run's goroutine now and then
	stderr  func(line []byte) // called from one other goroutine
}

// errStalled ends a run that moved no byte for its timeout.
var errStalled = errors.New("no byte moved")

// environment is what rsync gets: where programs are, and a language whose
// messages can be read. Its own variables (RSYNC_RSH, RSYNC_PARTIAL_DIR…) would
// change what it does.
func environment() []string {
	return []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C"}
}

// run returns rsync's exit code, or -1 with an error if it could not be
// started, was stopped by ctx (the context's error), or stalled (errStalled).
// No process of the run is left when it returns.
func (c *command) run(ctx context.Context) (int, error) {
	if err := ctx.Err(); err != nil {
		return -1, err
	}
	cmd := exec.Command(c.program, c.args...)
	cmd.Env = environment()
	cmd.Dir = "/"
	cmd.Stdin = bytes.NewReader(c.stdin)
	// The parent-death signal is for the case that this process is killed.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return -1, fmt.Errorf("make pipe: %w", err)
	}
	stderr, err := cmd.StderrPipe()
	if err != nil {
		return -1, errors.Join(fmt.Errorf("make pipe: %w", err), stdout.Close())
	}

	lines := make(chan []byte, 64)
	var readers sync.WaitGroup
	started, ended := make(chan error, 1), make(chan error, 1)
	go func() {
		// The kernel sends the parent-death signal when the *thread* ends.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		if err == nil {
			readers.Go(func() { defer close(lines); eachLine(stdout, func(l []byte) { lines <- bytes.Clone(l) }) })
			readers.Go(func() { eachLine(stderr, c.stderr) })
		}
		started <- err
		if err == nil {
			readers.Wait() // so that the leader is a zombie, and its group killable, until all of it ended
			ended <- cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		return -1, fmt.Errorf("start %s: %w", c.program, err)
	}
	stopped := c.attend(ctx, cmd.Process.Pid, lines)
	err = <-ended
	if stopped != nil {
		return -1, stopped
	}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return -1, fmt.Errorf("run %s: %w", c.program, err)
	}
	return cmd.ProcessState.ExitCode(), nil
}

// attend passes lines on until there are no more, and kills the process group
// when it has to.
func (c *command) attend(ctx context.Context, pid int, lines <-chan []byte) error {
	const often = 200 * time.Millisecond
	ticker := time.NewTicker(min(often, max(c.timeout/4, time.Millisecond)))
	defer ticker.Stop()
	var stopped error
	kill := func(why error) {
		if stopped == nil {
			stopped = why
			_ = syscall.Kill(-pid, syscall.SIGKILL)
		}
	}
	done := ctx.Done()
	last, alive := int64(-1), time.Now()
	for {
		select {
		case l, ok := <-lines:
			if !ok {
				return stopped
			}
			alive = time.Now()
			c.line(l)
		case <-done:
			done = nil
			kill(ctx.Err())
		case now := <-ticker.C:
			c.tick()
			if n := groupIO(pid) + c.extra(); n != last {
				last, alive = n, now
			} else if now.Sub(alive) >= c.timeout {
				kill(errStalled)
			}
		}
	}
}

// eachLine calls f for what ends in a newline or a carriage return. A line that
// is longer than any that makes sense is cut.
func eachLine(r io.Reader, f func([]byte)) {
	s := bufio.NewReaderSize(r, 4096)
	var line []byte
	for {
		b, err := s.ReadByte()
		switch {
		case err != nil:
			if len(line) > 0 {
				f(line)
			}
			return
		case b == '\n' || b == '\r':
			if len(line) > 0 {
				f(line)
			}
			line = line[:0]
		case len(line) < 8<<10:
			line = append(line, b)
		}
	}
}
