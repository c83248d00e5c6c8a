package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/gsyncd/gsyncd-host/config"
	"github.com/gsyncd/gsyncd-host/host/agent"
	"github.com/gsyncd/gsyncd-host/sdk/process"
)

// agentCommand is the far end of a mirror's side behind ssh.
func agentCommand(env *Env) *cobra.Command {
	var silence time.Duration
	var session, token, dir string
	cmd := &cobra.Command{
		Use: "agent URL", Short: "Serve a directory to a gsyncd-host at the other end of a connection",
		Long: "agent serves the tree at URL, and nothing else, over standard input and output.\n" +
			"gsyncd-host starts it by itself through ssh on the machine of an ssh:// URL, with the\n" +
			"rights of the user who logs in. It ends when the other end says so, or is silent: when the connection\n" +
			"is lost, it waits for another one for up to 45 seconds.",
		Args: func(cmd *cobra.Command, args []string) error {
			switch {
			case token != "":
				return nil
			case session != "":
				return cobra.NoArgs(cmd, args)
			}
			return cobra.ExactArgs(1)(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if token != "" {
				return agentRsync(cmd.Context(), env, token, dir, args)
			}
			if silence < time.Second {
				return usage(errors.New("--silence: one second is the least"))
			}
			log := newLogger(env.Stderr, config.Host{LogLevel: "warn"}, false)
			doors, err := agent.RuntimeDir(env.getenv("XDG_RUNTIME_DIR"))
			if session != "" {
				return relay(cmd.Context(), env, doors, session, err)
			}
			if err != nil {
				log.Warn("the session cannot be reached by others", "error", err)
				doors = ""
			}
			a, err := agent.New(agent.Options{
				URL: args[0], Drivers: env.Plugins.Drivers, Program: env.Version, Silence: silence, Doors: doors, Logger: log,
			})
			if err != nil {
				return usage(err)
			}
			pipe, err := env.Pipe()
			if err != nil {
				return fail(err)
			}
			if err := a.Serve(cmd.Context(), pipe); err != nil {
				return fail(fmt.Errorf("serve %s: %w", args[0], err))
			}
			return nil
		},
	}
	cmd.Flags().DurationVar(&silence, "silence", process.DefaultSilence, "end after this long without a sign of life")
	cmd.Flags().StringVar(&session, "resume", "", "lead the other end to the session of this `token`, which has lost its connection")
	cmd.Flags().StringVar(&token, "rsync", "", "be an rsync server of the session with this token; the arguments are the server's")
	cmd.Flags().StringVar(&dir, "dir", "", "with --rsync: the job's directory")
	for _, name := range []string{"rsync", "dir"} {
		cmd.Flags().Lookup(name).Hidden = true
	}
	return cmd
}

// relay leads a client back to its session.
func relay(ctx context.Context, env *Env, doors, session string, err error) error {
	if err != nil {
		return fail(err)
	}
	if err := agent.CheckToken(session); err != nil {
		return usage(fmt.Errorf("--resume: %w", err))
	}
	pipe, err := env.Pipe()
	if err != nil {
		return fail(err)
	}
	if err := agent.Relay(ctx, pipe, doors, session, env.Version); err != nil {
		return fail(err)
	}
	return nil
}
