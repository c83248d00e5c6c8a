package cli

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/gsyncd/gsyncd-host/config/diag"
	"github.com/gsyncd/gsyncd-host/host/plugin"
)

func pluginInstallCommand(env *Env) *cobra.Command {
	var f pluginFlags
	var replace bool
	cmd := &cobra.Command{
		Use: "install FILE", Short: "Copy a plugin into the plugin directory and print the block that declares it",
		Long: "install takes a WASM module, or a program whose checksum is given with --sha256, asks it what it is, and\n" +
			"copies it into the user's plugin directory under the name by which it is found there. It prints the plugin\n" +
			"block for the configuration: the checksum in it is what makes sure that nothing else is ever run.",
		Example: "  gsyncd-host plugin install zip.driver.wasm > /etc/gsyncd-host/zip.hcl",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.install(cmd.Context(), env, args[0], replace)
		},
	}
	f.add(cmd, true)
	cmd.Flags().BoolVar(&replace, "replace", false, "replace a plugin of this name that is there and differs")
	return cmd
}

// installed is what the command did.
type installed struct {
	Kind   string `json:"kind"`
	Name   string `json:"name"`
	Path   string `json:"path"`
	SHA256 string `json:"sha256"`
	Block  string `json:"block"`
}

func (f *pluginFlags) install(ctx context.Context, env *Env, arg string, replace bool) error {
	dir := plugin.UserDir(env.Root, env.getenv)
	if dir == "" {
		return usage(errors.New("neither XDG_DATA_HOME nor HOME is set, so there is no plugin directory of yours"))
	}
	if filepath.Base(arg) == arg {
		arg = "./" + arg // a file is meant, not the name of a plugin
	}
	t, err := f.find(env, arg)
	if err != nil {
		return err
	}
	desc, err := f.describe(ctx, env, t, false)
	if err != nil {
		return err
	}
	d := &t.declaration
	if slices.Contains(env.Plugins.Names(d.Kind), desc.Name) {
		return usage(fmt.Errorf("%q is the name of a built-in %s", desc.Name, d.Kind))
	}
	if err := t.start(ctx, env, desc.Name); err != nil {
		return usage(err)
	}
	file := plugin.FileName(d.Kind, desc.Name, d.Guest())
	out := installed{
		Kind: desc.Kind, Name: desc.Name, Path: filepath.Join(dir, file), SHA256: desc.SHA256,
		Block: fmt.Sprintf("plugin %q %q {\n  source = %q\n  sha256 = %q\n}\n", desc.Kind, desc.Name, file, desc.SHA256),
	}
	if err := place(d.Path, out.Path, d.SHA256, replace); err != nil {
		return err
	}
	if f.json {
		return json.NewEncoder(env.Stdout).Encode(out)
	}
	fmt.Fprintf(env.Stderr, "installed %s; this declares it:\n", diag.Clean(out.Path))
	_, err = io.WriteString(env.Stdout, out.Block)
	return err
}

// start starts a plugin once, to see that it can be. A module is compiled by that,
// and the outcome kept.
func (t *target) start(ctx context.Context, env *Env, name string) error {
	sup, err := t.supervisor(env, plugin.Options{})
	if err != nil {
		return err
	}
	defer closeSoon(ctx, sup)
	p, err := sup.Start(ctx, t.declaration.Kind, name, "")
	if err != nil {
		return err
	}
	p.Stop(context.WithoutCancel(ctx))
	return nil
}

// place copies a plugin, if what is read is what was looked at.
func place(from, to string, sum []byte, replace bool) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return fail(err)
	}
	if got := sha256.Sum256(data); !bytes.Equal(got[:], sum) {
		return fail(fmt.Errorf("%s changes while it is read", from))
	}
	old, err := sumOf(to)
	switch {
	case err == nil && bytes.Equal(old, sum):
		return nil
	case err == nil && !replace:
		return usage(fmt.Errorf("%s is there already, and is another file; replace it with --replace", to))
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return fail(err)
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return fail(err)
	}
	return writeWhole(to, data)
}

// writeWhole puts a file into its place in one step.
func writeWhole(path string, data []byte) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), ".new-")
	if err != nil {
		return fail(err)
	}
	_, err = tmp.Write(data)
	err = errors.Join(err, tmp.Chmod(0o755), tmp.Sync(), tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		return fail(errors.Join(err, os.Remove(tmp.Name())))
	}
	return nil
}
