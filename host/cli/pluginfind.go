package cli

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gsyncd/gsyncd-host/config"
	"github.com/gsyncd/gsyncd-host/config/diag"
	"github.com/gsyncd/gsyncd-host/host/plugin"
)

// pluginFlags say which plugins are meant.
type pluginFlags struct {
	configFlags
	sha256 string
	json   bool
}

func (f *pluginFlags) add(cmd *cobra.Command, pinned bool) {
	f.configFlags.add(cmd)
	cmd.Flags().BoolVar(&f.json, "json", false, "print JSON")
	if pinned {
		cmd.Flags().StringVar(&f.sha256, "sha256", "", "the `checksum` that the file must have; a program, which is no WASM\nmodule, is run only with it")
	}
}

// load reads the configuration that is named, or the default one if there is any.
func (f *pluginFlags) load(env *Env) (*config.Config, error) {
	opts := f.options(env)
	opts.PluginsOnly = true
	if opts.Path == "" {
		opts.Path = defaultConfig(env)
		if _, err := os.Stat(opts.Path); errors.Is(err, fs.ErrNotExist) {
			return &config.Config{}, nil
		}
	}
	cfg, diags := config.Load(opts)
	if diags.HasErrors() {
		return nil, f.refuse(env, diags, cfg)
	}
	return cfg, nil
}

// refuse prints what is wrong with the configuration.
func (f *pluginFlags) refuse(env *Env, diags diag.List, cfg *config.Config) error {
	if err := printDiags(env, diags.Sort(), cfg.Sources, f.json); err != nil {
		return fail(err)
	}
	return &exitError{code: exitUsage}
}

// The origins of a plugin.
const (
	fromBuiltIn  = "built in"
	fromDeclared = "declared"
	fromFile     = "file" // in a plugin directory, or named by its path
)

// target is a plugin that somebody named.
type target struct {
	declaration plugin.Declaration // with a Path unless it is built in
	origin      string
	place       diag.Range // of its block, if it is declared
	registry    *plugin.Registry
	config      *config.Config
}

var sumRX = regexp.MustCompile(`^[0-9a-fA-F]{64}$`)

// find finds the plugin that an argument names: a file if there is a slash in it,
// else what is declared, built in, or in a plugin directory. Nothing is run.
func (f *pluginFlags) find(env *Env, arg string) (*target, error) {
	if f.sha256 != "" && !sumRX.MatchString(f.sha256) {
		return nil, usage(errors.New("--sha256 takes 64 hexadecimal digits, as sha256sum prints them"))
	}
	cfg, err := f.load(env)
	if err != nil {
		return nil, err
	}
	t := &target{origin: fromFile, registry: env.Plugins, config: cfg}
	if strings.ContainsRune(arg, '/') {
		cwd, err := env.Getwd()
		if err != nil {
			return nil, fail(err)
		}
		if !filepath.IsAbs(arg) {
			arg = filepath.Join(cwd, arg)
		}
		return t, f.file(t, arg)
	}
	for _, p := range cfg.Plugins {
		if p.Name == arg && p.Source != "" {
			return t, f.declared(env, t, p)
		}
	}
	for _, kind := range []plugin.Kind{plugin.KindDriver, plugin.KindTransfer} {
		if slices.Contains(env.Plugins.Names(kind), arg) {
			t.origin, t.declaration = fromBuiltIn, plugin.Declaration{Kind: kind, Name: arg}
			return t, nil
		}
	}
	dirs := pluginDirs(env, cfg)
	found, err := plugin.List(dirs)
	for _, p := range found {
		if p.Name == arg || filepath.Base(p.Path) == arg {
			return t, f.file(t, p.Path)
		}
	}
	hint := ""
	if _, serr := os.Stat(arg); serr == nil {
		hint = fmt.Sprintf("; for the file write ./%s", arg)
	}
	return nil, usage(errors.Join(fmt.Errorf("there is no plugin %q: none is built in or declared, and none in %s%s", arg, strings.Join(dirs, ", "), hint), err))
}

// declared takes a plugin as its block says.
func (f *pluginFlags) declared(env *Env, t *target, p *config.Plugin) error {
	one := *t.config
	one.Plugins = []*config.Plugin{p}
	reg, diags := declare(env, &one)
	if diags.HasErrors() {
		return f.refuse(env, diags, t.config)
	}
	t.origin, t.place, t.declaration = fromDeclared, p.Range, reg.Declared[len(reg.Declared)-1]
	return f.pin(t)
}

// file takes a plugin of which nothing is known but its file. Kind and name are
// taken from the name of the file as far as they are there, until it describes
// itself.
func (f *pluginFlags) file(t *target, path string) error {
	if _, err := plugin.Find(path, nil); err != nil {
		return usage(err)
	}
	if diags := named(path, diag.Range{}); len(diags) > 0 {
		return usage(errors.New(diags[0].Summary))
	}
	t.declaration = plugin.Declaration{Kind: plugin.KindDriver, Path: path}
	if found, ok := plugin.ByName(filepath.Base(path)); ok {
		t.declaration.Kind, t.declaration.Name = found.Kind, found.Name
	}
	return f.pin(t)
}

// pin notes the file's checksum, and compares it with the one that is wanted.
func (f *pluginFlags) pin(t *target) error {
	sum, err := sumOf(t.declaration.Path)
	if err != nil {
		return usage(fmt.Errorf("the plugin's file: %w", err))
	}
	if want, _ := hex.DecodeString(f.sha256); f.sha256 != "" && !bytes.Equal(sum, want) {
		return usage(fmt.Errorf("%s is not the file that you want: its sha256 is %x; nothing of it was run", t.declaration.Path, sum))
	}
	t.declaration.SHA256 = sum
	return nil
}

// runnable refuses to run a program that nobody vouched for.
func (f *pluginFlags) runnable(t *target) error {
	d := &t.declaration
	if t.origin != fromFile || d.Guest() || f.sha256 != "" {
		return nil
	}
	return usage(fmt.Errorf("%s is a program, and this would run it; if it is the one that you mean, add --sha256 %x", d.Path, d.SHA256))
}

// supervisor starts the plugin, and no other.
func (t *target) supervisor(env *Env, opts plugin.Options) (*plugin.Supervisor, error) {
	reg := *t.registry
	if t.origin != fromBuiltIn {
		reg.Declared = []plugin.Declaration{t.declaration}
	}
	opts.Environ = env.Environ
	return plugin.New(reg, opts)
}

// closeSoon ends what a supervisor started.
func closeSoon(ctx context.Context, sup *plugin.Supervisor) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeGrace)
	defer cancel()
	_ = sup.Close(ctx)
}
