package cli

import (
	"fmt"

	"github.com/spf13/cobra"
)

func validateCommand(env *Env) *cobra.Command {
	var f configFlags
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "validate [-c FILE|DIR] [MIRROR...] | validate PRIMARY SECONDARY",
		Short: "Check a configuration and whether its mirrors could run here",
		RunE: func(cmd *cobra.Command, args []string) error {
			set, err := prepare(cmd.Context(), env, &f, args, &asker{later: true}, asJSON)
			if err != nil {
				return err
			}
			if asJSON {
				return set.warnings.WriteJSON(env.Stdout)
			}
			_, err = fmt.Fprintf(env.Stdout, "%s: all is well\n", plural(int64(len(set.mirrors)), "mirror"))
			return err
		},
	}
	f.add(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the diagnostics as JSON")
	return cmd
}
