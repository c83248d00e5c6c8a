package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/gsyncd/gsyncd-host/host/plugin/wasmrun"
	"github.com/gsyncd/gsyncd-host/sdk/process"
)

// pluginCommand is all about plugins. With the name of a built-in one it serves
// it: so the program starts itself.
func pluginCommand(env *Env) *cobra.Command {
	cmd := &cobra.Command{
		Use: "plugin", Short: "List, describe, check, install and begin plugins",
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cmd.Help()
			}
			if build, ok := env.Plugins.Drivers[args[0]]; ok {
				process.ServeDriver(build)
				return nil
			}
			if build, ok := env.Plugins.Transfers[args[0]]; ok {
				process.ServeTransfer(build)
				return nil
			}
			return usage(fmt.Errorf("%q is neither a command nor a built-in plugin; %s --help lists the commands", args[0], cmd.CommandPath()))
		},
	}
	cmd.AddCommand(pluginListCommand(env), pluginDescribeCommand(env), pluginCheckCommand(env), pluginInstallCommand(env), pluginNewCommand(env), pluginPackCommand(env), wasmCommand())
	return cmd
}

// wasmCommand is how the program starts itself to run a module.
func wasmCommand() *cobra.Command {
	return &cobra.Command{
		Use: "wasm FILE", Short: "Run a driver that is a WASM module (started by the program itself)",
		Args: cobra.ExactArgs(1), Hidden: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := wasmrun.Serve(cmd.Context(), args[0]); err != nil {
				return fail(err)
			}
			return nil
		},
	}
}
