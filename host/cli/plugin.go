package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/gsyncd/gsyncd-host/host/plugin/wasmrun"
	"github.com/gsyncd/gsyncd-host/sdk/process"
)

// pluginCommand is how the program starts itself to serve a built-in plugin.
func pluginCommand(env *Env) *cobra.Command {
	cmd := &cobra.Command{
		Use: "plugin NAME", Short: "Serve a built-in plugin (started by the program itself)",
		Args: cobra.ExactArgs(1), Hidden: true,
		RunE: func(_ *cobra.Command, args []string) error {
			if build, ok := env.Plugins.Drivers[args[0]]; ok {
				process.ServeDriver(build)
				return nil
			}
			if build, ok := env.Plugins.Transfers[args[0]]; ok {
				process.ServeTransfer(build)
				return nil
			}
			return usage(fmt.Errorf("no built-in plugin is called %q", args[0]))
		},
	}
	cmd.AddCommand(wasmCommand())
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
