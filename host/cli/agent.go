package cli

import (
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
	var flags restrictionFlags
	cmd := &cobra.Command{
		Use: "agent URL", Short: "Serve a directory to a gsyncd-host at the other end of a connection",
		Long: "agent serves the tree at URL, and nothing else, over standard input and output.\n" +
			"gsyncd-host starts it by itself through ssh on the machine of an ssh:// URL, with the\n" +
			"rights of the user who logs in. It ends when its input ends or the other end is silent.\n\n" +
			"With --root it is what authorized_keys starts for a restricted key: the URL is then the one\n" +
			"that the client asked for, in SSH_ORIGINAL_COMMAND, if it is one of the roots.",
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o := agent.Options{Drivers: env.Plugins.Drivers, Program: env.Version}
			if err := agentTask(env, &flags, &silence, args, &o); err != nil {
				return err
			}
			if silence < time.Second {
				return usage(errors.New("--silence: one second is the least"))
			}
			o.Silence, o.Logger = silence, newLogger(env.Stderr, config.Host{LogLevel: "warn"}, false)
			a, err := agent.New(o)
			if err != nil {
				return usage(err)
			}
			pipe, err := env.Pipe()
			if err != nil {
				return fail(err)
			}
			if err := a.Serve(cmd.Context(), pipe); err != nil {
				return fail(fmt.Errorf("serve %s: %w", o.URL, err))
			}
			return nil
		},
	}
	cmd.Flags().DurationVar(&silence, "silence", process.DefaultSilence, "end after this long without a sign of life")
	flags.register(cmd)
	return cmd
}

// agentTask finds out what an agent is to serve: its URL or, for a restricted
// key, what the client asked for as far as that is allowed.
func agentTask(env *Env, flags *restrictionFlags, silence *time.Duration, args []string, o *agent.Options) error {
	restricted := len(flags.roots) > 0
	switch {
	case restricted && len(args) > 0:
		return usage(errors.New("with --root the client names the URL: leave it out"))
	case !restricted && (len(args) != 1 || !flags.none()):
		return usage(errors.New("name the URL to serve, or what a restricted key is for with --root"))
	case !restricted:
		o.URL = args[0]
		return nil
	}
	r, err := flags.restriction(func(s string) string { return s })
	if err != nil {
		return usage(err)
	}
	req, err := r.Admit(env.getenv("SSH_ORIGINAL_COMMAND"), env.getenv("SSH_CONNECTION"))
	if err != nil {
		return fail(err)
	}
	o.URL, o.Policy = req.URL.Long(), r.Policy
	if req.Silence > 0 {
		*silence = req.Silence
	}
	return nil
}
