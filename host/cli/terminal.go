package cli

import (
	"context"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

// TerminalAsk is for [Env.Ask]: it asks on a terminal, without echo, or is nil
// where in and out are none, or where this process is in the background.
func TerminalAsk(in, out *os.File) func(ctx context.Context, prompt string) (string, error) {
	fd := int(in.Fd())
	if !term.IsTerminal(fd) || !term.IsTerminal(int(out.Fd())) {
		return nil
	}
	if group, err := unix.IoctlGetInt(fd, unix.TIOCGPGRP); err == nil && group != unix.Getpgrp() {
		return nil
	}
	return func(ctx context.Context, prompt string) (string, error) {
		before, err := term.GetState(fd)
		if err != nil {
			return "", fmt.Errorf("ask: %w", err)
		}
		fmt.Fprint(out, prompt)
		defer fmt.Fprintln(out)
		type answer struct {
			text []byte
			err  error
		}
		got := make(chan answer, 1)
		go func() {
			text, err := term.ReadPassword(fd)
			got <- answer{text, err}
		}()
		select {
		case a := <-got:
			return string(a.text), a.err
		case <-ctx.Done():
			// The read ends with the process.
			return "", errors.Join(ctx.Err(), term.Restore(fd, before))
		}
	}
}
