package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/gsyncd/gsyncd-host/config/diag"
	"github.com/gsyncd/gsyncd-host/host/agent"
	"github.com/gsyncd/gsyncd-host/sdk"
)

// The codes with which a shell says that it cannot run a command, and that the
// connection is not there.
const (
	exitCannotRun = 126
	exitNoSession = 255
)

// agentRsync is the far end of the rsync method.
func agentRsync(ctx context.Context, env *Env, token, dir string, args []string) error {
	doors, err := agent.RuntimeDir(env.getenv("XDG_RUNTIME_DIR"))
	if err != nil {
		return refuse(env, err)
	}
	r := agent.Rsync{
		Doors: doors, Token: token, Dir: dir, Args: args, Path: env.getenv("PATH"),
		Stdin: env.Stdin, Stdout: env.Stdout, Stderr: env.Stderr,
	}
	code, err := r.Run(ctx)
	var e *sdk.Error
	switch {
	case errors.As(err, &e) && e.Kind == sdk.KindNotExist, ctx.Err() != nil:
		return &exitError{code: exitNoSession, err: err}
	case err != nil:
		return refuse(env, err)
	case code != 0:
		return &exitError{code: code}
	}
	return nil
}

// refuse says that rsync cannot be had here.
func refuse(env *Env, err error) error {
	_, _ = fmt.Fprintln(env.Stderr, sdk.ShellRefuses+diag.Clean(err.Error()))
	return &exitError{code: exitCannotRun}
}
