package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/gsyncd/gsyncd-host/config"
	"github.com/gsyncd/gsyncd-host/host/agent"
	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/process"
)

// agentCommand is the far end of a mirror's side behind ssh.
func agentCommand(env *Env) *cobra.Command {
	var flags restrictionFlags
	var session, token, dir string
	var silence time.Duration
	cmd := &cobra.Command{
		Use: "agent URL", Short: "Serve a directory to a gsyncd-host at the other end of a connection",
		Long: "agent serves the tree at URL, and nothing else, over standard input and output.\n" +
			"gsyncd-host starts it by itself through ssh on the machine of an ssh:// URL, with the\n" +
			"rights of the user who logs in. It ends when the other end says so, or is silent: when the connection\n" +
			"is lost, it waits for another one for up to 45 seconds.\n\n" +
			"With --root it is what authorized_keys starts for a restricted key: what to do is then in\n" +
			"SSH_ORIGINAL_COMMAND, and is done as far as the key may.",
		RunE: func(cmd *cobra.Command, args []string) error {
			if silence < time.Second {
				return usage(errors.New("--silence: one second is the least"))
			}
			t := agentTask{request: agent.Request{Silence: silence}}
			switch {
			case len(flags.roots) > 0:
				if len(args) > 0 || session != "" || token != "" {
					return usage(errors.New("with --root the client says what to do: leave it out"))
				}
				if err := t.restricted(env, &flags); err != nil {
					return err
				}
			case !flags.none():
				return usage(errors.New("say with --root what a restricted key is for"))
			case token != "":
				t.request.Kind, t.request.Token, t.request.Dir, t.request.Args = agent.RequestRsync, token, sdk.Path(dir), args
			case session != "" && len(args) == 0:
				t.request.Kind, t.request.Token = agent.RequestResume, session
			case session == "" && len(args) == 1:
				t.request.Kind, t.url = agent.RequestServe, args[0]
			default:
				return usage(errors.New("name one URL to serve"))
			}
			return t.do(cmd.Context(), env)
		},
	}
	cmd.Flags().DurationVar(&silence, "silence", process.DefaultSilence, "end after this long without a sign of life")
	cmd.Flags().StringVar(&session, "resume", "", "lead the other end to the session of this `token`, which has lost its connection")
	cmd.Flags().StringVar(&token, "rsync", "", "be an rsync server of the session with this token; the arguments are the server's")
	cmd.Flags().StringVar(&dir, "dir", "", "with --rsync: the job's directory")
	for _, name := range []string{"rsync", "dir"} {
		cmd.Flags().Lookup(name).Hidden = true
	}
	flags.register(cmd)
	return cmd
}

// agentTask is what an agent is started for.
type agentTask struct {
	request agent.Request
	url     string       // of RequestServe
	policy  agent.Policy // what the client is held to
	grant   string       // the restriction that it comes by, "" for none
}

// restricted finds out what the client of a restricted key asks for, as far as
// that is allowed.
func (t *agentTask) restricted(env *Env, flags *restrictionFlags) error {
	r, err := flags.restriction(func(s string) string { return s })
	if err != nil {
		return usage(err)
	}
	silence := t.request.Silence
	t.request, err = r.Admit(env.getenv("SSH_ORIGINAL_COMMAND"), env.getenv("SSH_CONNECTION"))
	switch {
	case err != nil && t.request.Kind == agent.RequestRsync:
		return refuse(env, err) // in the way that its client understands
	case err != nil:
		return fail(err)
	}
	if t.request.Silence == 0 {
		t.request.Silence = silence
	}
	t.url, t.policy, t.grant = t.request.URL.Long(), r.Policy, r.Grant()
	return nil
}

func (t *agentTask) do(ctx context.Context, env *Env) error {
	if t.request.Kind == agent.RequestRsync {
		return agentRsync(ctx, env, t.request.Token, t.grant, string(t.request.Dir), t.request.Args)
	}
	log := newLogger(env.Stderr, config.Host{LogLevel: "warn"}, false)
	doors, err := agent.RuntimeDir(env.getenv("XDG_RUNTIME_DIR"))
	if t.request.Kind == agent.RequestResume {
		if err != nil {
			return fail(err)
		}
		return relay(ctx, env, doors, t.request.Token, t.grant)
	}
	if err != nil {
		log.Warn("the session cannot be reached by others", "error", err)
		doors = ""
	}
	a, err := agent.New(agent.Options{
		URL: t.url, Drivers: env.Plugins.Drivers, Program: env.Version, Silence: t.request.Silence, Doors: doors, Logger: log,
		Policy: t.policy, Grant: t.grant,
	})
	if err != nil {
		return usage(err)
	}
	pipe, err := env.Pipe()
	if err != nil {
		return fail(err)
	}
	if err := a.Serve(ctx, pipe); err != nil {
		return fail(fmt.Errorf("serve %s: %w", t.url, err))
	}
	return nil
}

// relay leads a client back to its session.
func relay(ctx context.Context, env *Env, doors, session, grant string) error {
	if err := agent.CheckToken(session); err != nil {
		return usage(fmt.Errorf("--resume: %w", err))
	}
	pipe, err := env.Pipe()
	if err != nil {
		return fail(err)
	}
	if err := agent.Relay(ctx, pipe, doors, session, grant, env.Version); err != nil {
		return fail(err)
	}
	return nil
}
