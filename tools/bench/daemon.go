package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"
)

// daemon is a program that mirrors until it is stopped.
type daemon struct {
	*session
	out output
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

// startDaemon runs argv.
func startDaemon(ctx context.Context, argv []string) (*daemon, error) {
	d := &daemon{}
	var err error
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
			return fmt.Errorf("ended while %s was waited for: %w: %s", what, d.err, tail([]byte(d.out.String())))
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// inSync waits until the program says that it is.
func (d *daemon) inSync(ctx context.Context) error {
	return d.until(ctx, "the first synchronization", 50*time.Millisecond, func() (bool, error) {
		return strings.Contains(d.out.String(), `msg="in sync"`), nil
	})
}

// stop ends the program in good order.
func (d *daemon) stop() error {
	if err := d.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return fmt.Errorf("stop: %w", err)
	}
	if err := d.wait(); err != nil {
		return fmt.Errorf("stop: %w: %s", err, tail([]byte(d.out.String())))
	}
	return nil
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
