package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

// daemon is a program that mirrors until it is stopped.
type daemon struct {
	*session
	prog *program
	out  output
	told bool // that it ended by itself
}

// output gathers what a program says while it runs.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// startDaemon lets a secondary's program keep it equal to primary.
func startDaemon(ctx context.Context, primary string, at *secondary) (*daemon, error) {
	d := &daemon{prog: at.prog}
	argv, err := at.prog.daemon(primary, at)
	if err != nil {
		return nil, fmt.Errorf("start: %w", err)
	}
	d.session, err = startSession(ctx, argv, &d.out)
	return d, err
}

// until polls until something holds, or the program ends.
func (d *daemon) until(ctx context.Context, what string, every time.Duration, holds func() (bool, error)) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		ok, err := holds()
		if ok || err != nil {
			return err
		}
		select {
		case <-d.done:
			d.told = true
			if why, ok := d.refused(); ok {
				return fmt.Errorf("%w: %s", errNoDetector, why)
			}
			return fmt.Errorf("%s ended while %s was waited for: %w: %s", d.prog.name, what, d.err, tail([]byte(d.out.String())))
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// inSync waits until the program says that it is.
func (d *daemon) inSync(ctx context.Context) error {
	return d.until(ctx, "the first synchronization", 10*time.Millisecond, func() (bool, error) {
		return strings.Contains(d.out.String(), d.prog.ready), nil
	})
}

// refused gives the words with which an ended program refuses its detector.
func (d *daemon) refused() (string, bool) {
	s, err := parseStatus(d.out.String())
	if err != nil {
		return "", false
	}
	return s.refused()
}

// detector is what our program says, once stopped, that it noticed changes by.
func (d *daemon) detector() (string, error) {
	s, err := parseStatus(d.out.String())
	return s.Detector.Kind, err
}

// atRest measures what the program costs while nothing changes: the share of a
// core and the largest memory, all its processes together.
func (d *daemon) atRest(ctx context.Context, during time.Duration) (share float64, memory int64, err error) {
	began, before := time.Now(), d.cpu()
	end := began.Add(during)
	err = d.until(ctx, "its idling", time.Second, func() (bool, error) {
		memory = max(memory, d.memory())
		return !time.Now().Before(end), nil
	})
	return (d.cpu() - before).Seconds() / time.Since(began).Seconds(), memory, err
}

// becomesEqual waits until the trees are, for a program that is behind.
func (d *daemon) becomesEqual(ctx context.Context, primary string, at *secondary) error {
	const most = 5 * time.Minute
	end := time.Now().Add(most)
	return d.until(ctx, "equality", 2*time.Second, func() (bool, error) {
		err := at.equal(ctx, primary, false)
		if err != nil && time.Now().After(end) {
			return false, fmt.Errorf("after %v: %w", most, err)
		}
		return err == nil, nil
	})
}

// stop ends the program in good order. That it had ended is told once.
func (d *daemon) stop() error {
	if d.told {
		return nil
	}
	if err := d.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return fmt.Errorf("stop: %w", err)
	}
	err := d.wait()
	var exit *exec.ExitError
	if err == nil || errors.As(err, &exit) && exit.ExitCode() == d.prog.stopped {
		return nil
	}
	return fmt.Errorf("stop: %w: %s", err, tail([]byte(d.out.String())))
}

// arrived waits until files of the secondary are what they are on the primary, as
// far as size and modification time tell.
func (d *daemon) arrived(ctx context.Context, primary, secondary []string) error {
	return d.until(ctx, "a change", time.Millisecond, func() (bool, error) {
		for len(primary) > 0 {
			last := len(primary) - 1
			want, err := os.Lstat(primary[last])
			if err != nil {
				return false, err
			}
			got, err := os.Lstat(secondary[last])
			if errors.Is(err, fs.ErrNotExist) || err == nil && (got.Size() != want.Size() || !got.ModTime().Equal(want.ModTime())) {
				return false, nil
			}
			if err != nil {
				return false, err
			}
			primary, secondary = primary[:last], secondary[:last]
		}
		return true, nil
	})
}
