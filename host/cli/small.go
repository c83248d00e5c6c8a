package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/gsyncd/gsyncd-host/config"
	"github.com/gsyncd/gsyncd-host/config/diag"
	"github.com/gsyncd/gsyncd-host/config/resurl"
)

func versionCommand(env *Env) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "version", Short: "Print the version", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if asJSON {
				return json.NewEncoder(env.Stdout).Encode(map[string]string{"version": env.Version, "go": runtime.Version(), "platform": runtime.GOOS + "/" + runtime.GOARCH})
			}
			_, err := fmt.Fprintf(env.Stdout, "gsyncd-host %s\n", env.Version)
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func urlCommand(env *Env) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "url URL...", Short: "Print a resource URL in its long, canonical and escaped canonical forms",
		Args: cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			for _, raw := range args {
				if err := printURL(env, raw, asJSON); err != nil {
					return err
				}
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a line of JSON for each URL")
	return cmd
}

func printURL(env *Env, raw string, asJSON bool) error {
	u, err := resurl.Parse(raw)
	var pe *resurl.ParseError
	if errors.As(err, &pe) {
		at := diag.Range{File: "argument", Start: diag.Pos{Byte: pe.Start}, End: diag.Pos{Byte: pe.End}}
		list := diag.List{{Summary: pe.Summary, Detail: pe.Hint, Subject: at}}
		if err := printDiags(env, list, diag.Sources{"argument": []byte(raw)}, asJSON); err != nil {
			return err
		}
		return &exitError{code: exitUsage}
	}
	if err != nil {
		return usage(err)
	}
	r := resurl.Resolver{Host: env.Host, User: env.User}
	canonical, err := u.Canonical(r)
	if err != nil {
		return fail(err)
	}
	escaped, err := u.EscapedCanonical(r)
	if err != nil {
		return fail(err)
	}
	if asJSON {
		return json.NewEncoder(env.Stdout).Encode(map[string]string{"url": raw, "long": u.Long(), "canonical": canonical, "escaped": escaped})
	}
	_, err = fmt.Fprintf(env.Stdout, "long       %s\ncanonical  %s\nescaped    %s\n", diag.Clean(u.Long()), diag.Clean(canonical), escaped)
	return err
}

func fmtCommand(env *Env) *cobra.Command {
	var check bool
	cmd := &cobra.Command{
		Use: "fmt FILE...", Short: "Rewrite configuration files in the standard layout",
		Args: cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			unformatted := false
			for _, path := range args {
				changed, err := formatFile(env, path, check)
				if err != nil {
					return err
				}
				unformatted = unformatted || changed
			}
			if check && unformatted {
				return &exitError{code: exitFailure}
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&check, "check", false, "change nothing; exit 1 if a file is not in the standard layout")
	return cmd
}

// formatFile names the file if it is not in the standard layout, and rewrites
// it unless check is set.
func formatFile(env *Env, path string, check bool) (bool, error) {
	src, err := os.ReadFile(path)
	if err != nil {
		return false, usage(err)
	}
	out, diags := config.Format(path, src)
	if diags.HasErrors() {
		if err := printDiags(env, diags, diag.Sources{path: src}, false); err != nil {
			return false, err
		}
		return false, &exitError{code: exitUsage}
	}
	if bytes.Equal(src, out) {
		return false, nil
	}
	if _, err := fmt.Fprintln(env.Stdout, diag.Clean(path)); err != nil {
		return false, err
	}
	if check {
		return true, nil
	}
	return true, replaceFile(path, out)
}

// replaceFile rewrites a file in one step, keeping its mode.
func replaceFile(path string, data []byte) error {
	info, err := os.Stat(path)
	if err != nil {
		return fail(err)
	}
	tmp := path + ".new"
	if err := os.WriteFile(tmp, data, info.Mode().Perm()); err != nil {
		return fail(err)
	}
	if err := os.Rename(tmp, path); err != nil {
		return fail(errors.Join(err, os.Remove(tmp)))
	}
	return nil
}

func printDiags(env *Env, list diag.List, sources diag.Sources, asJSON bool) error {
	if len(list) == 0 {
		return nil
	}
	if asJSON {
		return list.WriteJSON(env.Stdout)
	}
	return list.WriteText(env.Stderr, sources)
}
