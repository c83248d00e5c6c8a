package cli

import (
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"text/template"

	"github.com/spf13/cobra"

	"github.com/gsyncd/gsyncd-host/config/diag"
)

//go:embed skeleton/*.tmpl
var skeleton embed.FS

// sdkModule is the module that a driver imports.
const sdkModule = "github.com/gsyncd/gsyncd-host"

// newFlags are the flags of plugin new.
type newFlags struct {
	module  string
	replace string
	json    bool
}

func pluginNewCommand(env *Env) *cobra.Command {
	var f newFlags
	cmd := &cobra.Command{
		Use: "new NAME [DIR]", Short: "Begin a driver: write a Go module that builds, and passes the check",
		Long: "new writes a driver for NAME:// URLs into DIR, which must not exist or be empty; by default it is ./NAME. The\n" +
			"driver serves a small tree that it makes up. It builds as a program and as a WASM module.",
		Example: "  gsyncd-host plugin new greet",
		Args:    cobra.RangeArgs(1, 2),
		RunE: func(_ *cobra.Command, args []string) error {
			return f.write(env, args[0], append(args, args[0])[1])
		},
	}
	cmd.Flags().StringVar(&f.module, "module", "", "the module's `path` (default example.org/NAME)")
	cmd.Flags().StringVar(&f.replace, "replace", "", "build against the checkout of gsyncd-host in `DIR`, not a release")
	cmd.Flags().BoolVar(&f.json, "json", false, "print JSON")
	return cmd
}

var (
	driverRX  = regexp.MustCompile(`^[a-z][a-z0-9+.-]{0,63}$`)
	moduleRX  = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._~/-]*$`)
	releaseRX = regexp.MustCompile(`^v[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?$`)
)

func (f *newFlags) write(env *Env, name, dir string) error {
	if !driverRX.MatchString(name) {
		return usage(fmt.Errorf("%q cannot be the name of a driver: it is made of a-z, 0-9, '+', '-' and '.', a letter first", name))
	}
	if _, ok := env.Plugins.Drivers[name]; ok {
		return usage(fmt.Errorf("%q is the name of a built-in driver", name))
	}
	if f.module == "" {
		f.module = "example.org/" + strings.ReplaceAll(name, "+", "-") // which cannot be in a module's path
	}
	if !moduleRX.MatchString(f.module) {
		return usage(fmt.Errorf("--module: %q is not the path of a module", f.module))
	}
	cwd, err := env.Getwd()
	if err != nil {
		return fail(err)
	}
	absolute := func(p string) string {
		if filepath.IsAbs(p) {
			return filepath.Clean(p)
		}
		return filepath.Join(cwd, p)
	}
	files, err := f.files(env, name, absolute)
	if err != nil {
		return usage(err)
	}
	target := absolute(dir)
	if list, err := os.ReadDir(target); err == nil && len(list) > 0 {
		return usage(fmt.Errorf("%s is not empty", dir))
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return usage(err)
	}
	if err := os.MkdirAll(target, 0o755); err != nil {
		return fail(err)
	}
	var names []string
	for _, file := range files {
		if err := os.WriteFile(filepath.Join(target, file.name), file.data, 0o644); err != nil {
			return fail(err)
		}
		names = append(names, file.name)
	}
	if f.json {
		return json.NewEncoder(env.Stdout).Encode(map[string]any{"directory": target, "module": f.module, "files": names})
	}
	next := "cd " + dir
	if f.replace == "" {
		next += " && go mod tidy"
	}
	_, err = fmt.Fprintf(env.Stdout, "wrote %s: %s\nnext: %s && go test .\n", diag.Clean(target), strings.Join(names, ", "), diag.Clean(next))
	return err
}

type skeletonFile struct {
	name string
	data []byte
}

// files makes all files of the module in memory.
func (f *newFlags) files(env *Env, name string, absolute func(string) string) ([]skeletonFile, error) {
	all, err := template.ParseFS(skeleton, "skeleton/*.tmpl")
	if err != nil {
		return nil, err
	}
	var out []skeletonFile
	for _, t := range all.Templates() {
		var b strings.Builder
		if err := t.Execute(&b, map[string]string{"Name": name}); err != nil {
			return nil, err
		}
		out = append(out, skeletonFile{strings.TrimSuffix(t.Name(), ".tmpl"), []byte(b.String())})
	}
	if f.replace != "" {
		mod, err := f.modOf(absolute(f.replace))
		return append(out, mod...), err
	}
	version := "v0.0.0"
	if releaseRX.MatchString(env.Version) {
		version = env.Version
	}
	mod := fmt.Sprintf("module %s\n\ngo 1.26\n\nrequire %s %s\n", f.module, sdkModule, version)
	return append(out, skeletonFile{"go.mod", []byte(mod)}), nil
}

// modOf makes go.mod and go.sum for a build against a checkout: with what the
// checkout itself requires, nothing has to be looked up.
func (f *newFlags) modOf(checkout string) ([]skeletonFile, error) {
	mod, err := os.ReadFile(filepath.Join(checkout, "go.mod"))
	if err != nil {
		return nil, fmt.Errorf("--replace: %w", err)
	}
	rest, ok := strings.CutPrefix(string(mod), "module "+sdkModule+"\n")
	if !ok {
		return nil, fmt.Errorf("--replace: %s is not a checkout of gsyncd-host", checkout)
	}
	sum, err := os.ReadFile(filepath.Join(checkout, "go.sum"))
	if err != nil {
		return nil, fmt.Errorf("--replace: %w", err)
	}
	const version = "v0.0.0-00010101000000-000000000000"
	text := fmt.Sprintf("module %s\n%s\nrequire %s %s\n\nreplace %s => %s\n", f.module, rest, sdkModule, version, sdkModule, modPath(checkout))
	return []skeletonFile{{"go.mod", []byte(text)}, {"go.sum", sum}}, nil
}

// modPath writes a path for a go.mod file.
func modPath(path string) string {
	if strings.ContainsAny(path, " \t\"'`(),") {
		return fmt.Sprintf("%q", path)
	}
	return path
}
