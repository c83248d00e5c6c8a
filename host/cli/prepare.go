package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gsyncd/gsyncd-host/config"
	"github.com/gsyncd/gsyncd-host/config/diag"
	"github.com/gsyncd/gsyncd-host/config/resurl"
	"github.com/gsyncd/gsyncd-host/host/plugin"
	"github.com/gsyncd/gsyncd-host/host/state"
	"github.com/gsyncd/gsyncd-host/host/watch"
	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/schema"
)

// configFlags say what to load.
type configFlags struct {
	path string
	vars map[string]string
}

func (f *configFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&f.path, "config", "c", "", "configuration `FILE`, or directory of *.hcl files\n(default /etc/gsyncd-host for root, else ~/.config/gsyncd-host)")
	cmd.Flags().StringToStringVar(&f.vars, "var", nil, "value of a variable, as `NAME=VALUE`; may be given again")
}

// options are for loading the configuration.
func (f *configFlags) options(env *Env) config.Options {
	return config.Options{
		Path: f.path, Vars: f.vars, Env: env.lookup,
		Schemes:      slices.Sorted(maps.Keys(env.Plugins.Drivers)),
		Transfers:    slices.Sorted(maps.Keys(env.Plugins.Transfers)),
		EvalSymlinks: evalSymlinks,
		Origin:       watch.Origin,
		Installed: func(scheme string) string {
			found, _ := plugin.List(pluginDirs(env, &config.Config{})) // it is for a hint alone
			for _, f := range found {
				if f.Kind == plugin.KindDriver && f.Name == scheme {
					return f.Path
				}
			}
			return ""
		},
	}
}

// errStopped says that the program was asked to end before it was done.
var errStopped = errors.New("stopped")

// set is a checked configuration, ready to run.
type set struct {
	config   *config.Config
	mirrors  []*prepared
	plugins  *plugin.Registry
	warnings diag.List
}

// prepared is a mirror whose plugins have agreed to their parts.
type prepared struct {
	mirror   *config.Mirror
	key      string
	drivers  map[sdk.Role]driverUse
	transfer schema.Values // of the transfer plugin
	registry *plugin.Registry
}

// driverUse says which driver opens a side, and how.
type driverUse struct {
	name    string
	native  bool // its primaries may have native xtimes
	request sdk.OpenRequest
}

// prepare loads the configuration and checks all of it, plugins included. asker
// gets what a person must tell.
// Nothing is started for good or changed. Whatever is wrong is printed, and the
// error then only carries the exit code. Mere warnings are left to the caller
// where the output is JSON.
func prepare(ctx context.Context, env *Env, f *configFlags, args []string, asker *asker, asJSON bool) (*set, error) {
	cfg, mirrors, diags, err := load(env, f, args)
	if err != nil {
		return nil, err
	}
	s := &set{config: cfg}
	if !diags.HasErrors() {
		diags.Add(s.check(ctx, env, asker, mirrors)...)
	}
	if ctx.Err() != nil {
		// A check that was cut short complains of nothing but that.
		return nil, fail(errStopped)
	}
	diags = diags.Sort()
	if !asJSON || diags.HasErrors() {
		if err := printDiags(env, diags, cfg.Sources, asJSON); err != nil {
			return nil, fail(err)
		}
	}
	if diags.HasErrors() {
		return nil, &exitError{code: exitUsage}
	}
	s.warnings = diags
	return s, nil
}

// load reads the declared mirrors, or makes one of two URLs.
func load(env *Env, f *configFlags, args []string) (*config.Config, []*config.Mirror, diag.List, error) {
	opts := f.options(env)
	if areURLs(args) {
		if f.path != "" {
			return nil, nil, nil, usage(errors.New("two URLs and --config: give one or the other"))
		}
		cwd, err := env.Getwd()
		if err != nil {
			return nil, nil, nil, fail(err)
		}
		var sides [2]string
		for i := range sides {
			if sides[i], err = sideArgument(cwd, args[i]); err != nil {
				return nil, nil, nil, usage(err)
			}
		}
		cfg, diags := config.FromURLs(sides[0], sides[1], opts)
		return cfg, cfg.Mirrors, diags, nil
	}
	for _, arg := range args {
		if strings.ContainsAny(arg, "/:") {
			return nil, nil, nil, usage(fmt.Errorf("%s is a path or URL, of which there must be two: PRIMARY SECONDARY", arg))
		}
	}
	if opts.Path == "" {
		opts.Path = defaultConfig(env)
		if _, err := os.Stat(opts.Path); errors.Is(err, fs.ErrNotExist) {
			err := fmt.Errorf("no mirrors to run: there is no %s; name a configuration with --config, or give two directories or URLs", opts.Path)
			if len(args) == 2 {
				err = fmt.Errorf("%w; %s and %s were taken for names of mirrors, directories are ./%s and ./%s", err, args[0], args[1], args[0], args[1])
			}
			return nil, nil, nil, usage(err)
		}
	}
	cfg, diags := config.Load(opts)
	if diags.HasErrors() {
		return cfg, nil, diags, nil
	}
	mirrors, more := cfg.Select(args)
	diags.Add(more...)
	return cfg, mirrors, diags, nil
}

// areURLs tells two sides from names of mirrors, which have no '/' or ':' and
// no dot first.
func areURLs(args []string) bool {
	return len(args) == 2 && (strings.ContainsAny(args[0]+args[1], "/:") || args[0][:min(1, len(args[0]))] == "." || args[1][:min(1, len(args[1]))] == ".")
}

// sideArgument makes an absolute path of a relative one. A single word could be a
// mistyped volume as well, and a secondary would be made of it.
func sideArgument(cwd, raw string) (string, error) {
	switch {
	case strings.Contains(raw, ":"), filepath.IsAbs(raw):
		return resurl.Abs(cwd, raw), nil
	case strings.Contains(raw, "/"), raw == ".", raw == "..":
		return filepath.Join(cwd, raw), nil
	case raw == "":
		return "", errors.New("an empty argument is neither a path nor a URL")
	}
	return "", fmt.Errorf("%q is neither a path nor a URL; write ./%s for the directory, :%s for a Gluster volume", raw, raw, raw)
}

func defaultConfig(env *Env) string {
	if env.Root {
		return "/etc/gsyncd-host"
	}
	if dir := env.getenv("XDG_CONFIG_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "gsyncd-host")
	}
	return filepath.Join(env.getenv("HOME"), ".config", "gsyncd-host")
}

// evalSymlinks resolves as much of a path as exists, since a secondary may be
// made only when the mirror starts.
func evalSymlinks(path string) (string, error) {
	out, err := filepath.EvalSymlinks(path)
	if errors.Is(err, fs.ErrNotExist) && path != "/" {
		dir, err := evalSymlinks(filepath.Dir(path))
		return filepath.Join(dir, filepath.Base(path)), err
	}
	return out, err
}

// check asks every plugin of every mirror about its part.
func (s *set) check(ctx context.Context, env *Env, asker *asker, mirrors []*config.Mirror) diag.List {
	var diags diag.List
	s.plugins, diags = declare(env, s.config)
	if diags.HasErrors() {
		return diags
	}
	sup, err := plugin.New(*s.plugins, plugin.Options{Environ: env.Environ})
	if err != nil {
		diags.Add(diag.Diagnostic{Summary: err.Error()})
		return diags
	}
	defer func() { _ = sup.Close(context.WithoutCancel(ctx)) }()
	if diags.Add(startable(ctx, sup, s.config)...); diags.HasErrors() {
		return diags
	}
	schemes, err := sup.Schemes(ctx)
	if err != nil {
		diags.Add(diag.Diagnostic{Summary: err.Error()})
		return diags
	}
	for _, m := range mirrors {
		c := checker{asker: asker, env: env, sup: sup, registry: s.plugins, schemes: schemes}
		p := c.mirror(ctx, m)
		diags.Add(c.diags...)
		s.mirrors = append(s.mirrors, p)
	}
	return diags
}

// checker checks one mirror.
type checker struct {
	asker    *asker
	env      *Env
	sup      *plugin.Supervisor
	registry *plugin.Registry
	schemes  map[string]string
	diags    diag.List
}

func (c *checker) mirror(ctx context.Context, m *config.Mirror) *prepared {
	p := &prepared{
		mirror: m, registry: c.registry,
		key:     state.Key(m.Primary.URL.Long(), m.Secondary.URL.Long()),
		drivers: map[sdk.Role]driverUse{},
	}
	for _, role := range []sdk.Role{sdk.Primary, sdk.Secondary} {
		p.drivers[role] = c.side(ctx, m, role, p.key)
	}
	if !m.Transfer.Own() {
		p.transfer = c.transfer(ctx, m)
	} else if d, err := c.sup.DescribeTransfer(ctx, autoTransfer); err == nil {
		p.transfer, _ = d.Schema.WithDefaults(nil) // what auto starts has no required settings
	}
	return p
}

// autoTransfer is the transfer plugin that the method "auto" takes.
const autoTransfer = "rsync"

func (c *checker) side(ctx context.Context, m *config.Mirror, role sdk.Role, key string) driverUse {
	side := m.Side(role)
	scheme := side.URL.Scheme()
	name, ok := c.schemes[scheme]
	if !ok {
		c.diags.Add(diag.Diagnostic{Summary: fmt.Sprintf("no driver opens %s:// URLs", scheme), Subject: side.Range})
		return driverUse{}
	}
	driver, stop, err := c.driver(ctx, name)
	if err != nil {
		c.diags.Add(diag.Diagnostic{Summary: err.Error(), Subject: side.Range})
		return driverUse{}
	}
	defer stop()
	desc := driver.Describe()
	if !slices.Contains(desc.Roles, role) {
		c.diags.Add(diag.Diagnostic{Summary: fmt.Sprintf("a tree of scheme %q cannot be a %s", scheme, role), Subject: side.Range})
		return driverUse{}
	}
	values, diags := m.Driver(scheme).Decode(desc.Schema)
	c.diags.Add(diags...)
	if diags.HasErrors() {
		return driverUse{}
	}
	use := driverUse{name: name, native: desc.Native, request: sdk.OpenRequest{Address: side.URL.Address(), Role: role, Config: values, MarkKey: key}}
	check := func() []schema.Diagnostic { return driver.Check(ctx, use.request) }
	for _, d := range c.asker.complete(ctx, use.request.Config, check) {
		out := m.Diagnose(role, d)
		a := desc.Schema.Attribute(d.Attribute)
		out.Secret = a != nil && a.Secret && use.request.Config[a.Name] != nil
		c.diags.Add(out)
	}
	return use
}

// driver gives a driver to ask: a built-in one runs inside this process, since
// asking changes nothing; a third party's is started.
func (c *checker) driver(ctx context.Context, name string) (sdk.Driver, func(), error) {
	if build, ok := c.registry.Drivers[name]; ok && !c.foreign(plugin.KindDriver, name) {
		return build(slog.New(slog.DiscardHandler)), func() {}, nil
	}
	p, err := c.sup.Start(ctx, plugin.KindDriver, name, "")
	if err != nil {
		return nil, nil, err
	}
	return p.Driver(), func() { p.Stop(context.WithoutCancel(ctx)) }, nil
}

func (c *checker) foreign(kind plugin.Kind, name string) bool {
	return slices.ContainsFunc(c.registry.Declared, func(d plugin.Declaration) bool {
		return d.Kind == kind && d.Name == name && d.Path != ""
	})
}

// transfer checks the declared transfer method.
func (c *checker) transfer(ctx context.Context, m *config.Mirror) schema.Values {
	name := m.Transfer.Label
	var method sdk.Transfer
	if build, ok := c.registry.Transfers[name]; ok && !c.foreign(plugin.KindTransfer, name) {
		method = build(slog.New(slog.DiscardHandler))
	} else {
		p, err := c.sup.Start(ctx, plugin.KindTransfer, name, "")
		if err != nil {
			c.diags.Add(diag.Diagnostic{Summary: err.Error(), Subject: m.Transfer.Range})
			return nil
		}
		defer p.Stop(context.WithoutCancel(ctx))
		method = p.Transfer()
	}
	values, diags := m.Transfer.Decode(method.Describe().Schema)
	c.diags.Add(diags...)
	if diags.HasErrors() {
		return nil
	}
	for _, d := range method.Check(ctx, values) {
		c.diags.Add(m.Transfer.Diagnose(d))
	}
	return values
}
