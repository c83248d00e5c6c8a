package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// remoteShellCommand is what rsync starts in the place of ssh.
func remoteShellCommand(env *Env) *cobra.Command {
	return &cobra.Command{
		Use: "remote-shell SOCKET HOST rsync ARGS…", Short: "Be rsync's remote shell (started by the program itself)",
		Hidden: true, DisableFlagParsing: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case len(args) < 4 || strings.HasPrefix(args[1], "-"):
				return usage(errors.New("remote-shell: what rsync gives to ssh, without options, is what it takes"))
			case args[2] != "rsync":
				return usage(fmt.Errorf("remote-shell: %q is not rsync", args[2]))
			}
			if code := env.RemoteShell(cmd.Context(), args[0], args[3:], env.Stdin, env.Stdout, env.Stderr); code != 0 {
				return &exitError{code: code}
			}
			return nil
		},
	}
}
