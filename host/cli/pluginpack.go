package cli

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/gsyncd/gsyncd-host/config/diag"
	"github.com/gsyncd/gsyncd-host/host/plugin"
	"github.com/gsyncd/gsyncd-host/host/plugin/wasmfile"
	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/wire"
)

// pluginPackCommand is for authors: the last step of a build.
func pluginPackCommand(env *Env) *cobra.Command {
	var f pluginFlags
	cmd := &cobra.Command{
		Use: "pack FILE", Short: "Write into a WASM module what it is, so that it can be described without being run",
		Long: "pack runs a WASM module, confined and without any grants, asks it what it is, and writes the answer into its file\n" +
			"as a manifest. It is the last step of a build: it changes the file, and so its checksum.",
		Example: "  gsyncd-host plugin pack greet.driver.wasm",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			arg := args[0]
			if filepath.Base(arg) == arg {
				arg = "./" + arg
			}
			t, err := f.find(env, arg)
			if err != nil {
				return err
			}
			d := &t.declaration
			if !d.Guest() {
				return usage(errors.New("only a WASM module is packed, whose name ends in .wasm; a program is asked when it is started"))
			}
			d.Repack = true
			if err := f.identify(cmd.Context(), env, t); err != nil {
				return usage(err)
			}
			sup, err := t.supervisor(env, plugin.Options{})
			if err != nil {
				return usage(err)
			}
			defer closeSoon(cmd.Context(), sup)
			desc, err := sup.DescribeDriver(cmd.Context(), d.Name)
			if err != nil {
				return usage(err)
			}
			sum, err := pack(d.Path, d.SHA256, desc)
			if err != nil {
				return err
			}
			if f.json {
				return json.NewEncoder(env.Stdout).Encode(map[string]string{"path": d.Path, "name": desc.Name, "sha256": sum})
			}
			_, err = fmt.Fprintf(env.Stdout, "packed %s: driver %s %s\nsha256 %s\n", diag.Clean(args[0]), desc.Name, diag.Clean(desc.Version), sum)
			return err
		},
	}
	f.add(cmd, false)
	return cmd
}

// pack writes a manifest into the module that has the checksum was, and gives the new
// checksum. Of a symlink it is the file that it leads to that is replaced.
func pack(path string, was []byte, desc sdk.Descriptor) (sum string, err error) {
	text, err := wire.AppendManifest(nil, desc)
	if err != nil {
		return "", usage(err)
	}
	if path, err = filepath.EvalSymlinks(path); err != nil {
		return "", fail(err)
	}
	f, err := wasmfile.Read(path, was)
	if err != nil {
		return "", usage(err)
	}
	data, err := wasmfile.Pack(f.Data, text)
	if err != nil {
		return "", usage(fmt.Errorf("%s: %w", path, err))
	}
	if err := writeWhole(path, data); err != nil {
		return "", err
	}
	return fmt.Sprintf("%x", sha256.Sum256(data)), nil
}
