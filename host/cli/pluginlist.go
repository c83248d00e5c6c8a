package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/gsyncd/gsyncd-host/config/diag"
	"github.com/gsyncd/gsyncd-host/host/plugin"
)

// listed is a line of the list.
type listed struct {
	Kind   string `json:"kind"`
	Name   string `json:"name"`
	Origin string `json:"origin"`
	Path   string `json:"path,omitempty"`
	Guest  bool   `json:"wasm"`
	Place  string `json:"declared_at,omitempty"` // file:line:column
	// Note says why it is not what a mirror would get.
	Note string `json:"note,omitempty"`
}

func pluginListCommand(env *Env) *cobra.Command {
	var f pluginFlags
	cmd := &cobra.Command{
		Use: "list", Short: "List built-in plugins, declared ones, and those in the plugin directories",
		Long: "list tells which plugins there are. It goes by the configuration and by the names of files:\n" +
			"gsyncd-driver-SCHEME, SCHEME.driver.wasm and gsyncd-transfer-NAME. It runs none of them.",
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			list, dirs, err := f.list(env)
			if err != nil {
				return err
			}
			if f.json {
				return json.NewEncoder(env.Stdout).Encode(map[string]any{"plugins": list, "directories": dirs})
			}
			return writeList(env.Stdout, list, dirs)
		},
	}
	f.add(cmd, false)
	return cmd
}

func (f *pluginFlags) list(env *Env) (list []listed, dirs []string, err error) {
	cfg, err := f.load(env)
	if err != nil {
		return nil, nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(env.Plugins.Drivers)) {
		list = append(list, listed{Kind: string(plugin.KindDriver), Name: name, Origin: fromBuiltIn})
	}
	for _, name := range slices.Sorted(maps.Keys(env.Plugins.Transfers)) {
		list = append(list, listed{Kind: string(plugin.KindTransfer), Name: name, Origin: fromBuiltIn})
	}
	dirs = pluginDirs(env, cfg)
	declared := map[string]bool{} // files
	for _, p := range cfg.Plugins {
		if p.Source == "" {
			continue
		}
		l := listed{Kind: string(p.Kind), Name: p.Name, Origin: fromDeclared, Guest: p.Guest(), Place: p.Range.String()}
		if l.Path, err = plugin.Find(p.Source, dirs); err != nil {
			l.Note = err.Error()
		}
		declared[l.Path] = true
		list = append(list, l)
	}
	found, err := plugin.List(dirs)
	if err != nil {
		return nil, nil, fail(err)
	}
	for _, p := range found {
		if declared[p.Path] {
			continue
		}
		l := listed{Kind: string(p.Kind), Name: p.Name, Origin: fromFile, Path: p.Path, Guest: p.Guest(), Note: "not declared"}
		if p.Hidden {
			l.Note = "hidden by a file in an earlier directory"
		}
		list = append(list, l)
	}
	return list, dirs, nil
}

func writeList(out io.Writer, list []listed, dirs []string) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, l := range list {
		from := l.Origin
		switch l.Origin {
		case fromDeclared:
			from = "declared at " + l.Place
		case fromFile:
			from = l.Path
		}
		if l.Note != "" {
			from += ": " + l.Note
		}
		fmt.Fprintf(w, "%s\t%s\t%s\n", l.Kind, diag.Clean(l.Name), diag.Clean(from))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, dir := range dirs {
		fmt.Fprintf(out, "looked in %s\n", diag.Clean(dir))
	}
	return nil
}
