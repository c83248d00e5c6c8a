package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/gsyncd/gsyncd-host/config/diag"
)

// Run executes the command line and returns the exit code. When ctx ends, what
// is running stops in good order.
func Run(ctx context.Context, env Env) int {
	root := command(&env)
	root.SetArgs(env.Args)
	root.SetOut(env.Stdout)
	root.SetErr(env.Stderr)
	called, err := root.ExecuteContextC(ctx)
	var coded *exitError
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &coded):
		if coded.err != nil {
			complain(&env, coded.err)
		}
		return coded.code
	}
	// What cobra itself complains of is how it was called.
	complain(&env, err)
	_, _ = fmt.Fprintf(env.Stderr, "hint: %s --help lists what there is\n", called.CommandPath())
	return exitUsage
}

func complain(env *Env, err error) {
	_, _ = fmt.Fprintf(env.Stderr, "error: %s\n", diag.Clean(err.Error()))
}

// exitError ends the program with a code; err is printed unless nil.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit %d", e.code)
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

func fail(err error) error { return &exitError{code: exitFailure, err: err} }

func usage(err error) error { return &exitError{code: exitUsage, err: err} }

// command builds the tree of commands.
func command(env *Env) *cobra.Command {
	root := &cobra.Command{
		Use:           "gsyncd-host",
		Short:         "Continuous one-way mirroring of directory trees",
		Long:          "gsyncd-host keeps a secondary tree equal to a primary one.\nIt enters only directories below which something changed.",
		SilenceErrors: true,
		SilenceUsage:  true,
		Version:       env.Version,
		Args:          cobra.NoArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error {
		var bad *pflag.InvalidValueError
		if errors.As(err, &bad) {
			return fmt.Errorf("--%s: %q is not what it takes", bad.GetFlag().Name, bad.GetValue())
		}
		return err
	})
	root.SetVersionTemplate("gsyncd-host {{.Version}}\n")
	root.AddCommand(runCommand(env), validateCommand(env), fmtCommand(env), urlCommand(env), versionCommand(env), agentCommand(env), pluginCommand(env), remoteShellCommand(env))
	return root
}
