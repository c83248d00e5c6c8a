package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gsyncd/gsyncd-host/config"
	"github.com/gsyncd/gsyncd-host/config/resurl"
	"github.com/gsyncd/gsyncd-host/host/plugin"
	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/drivertest"
	"github.com/gsyncd/gsyncd-host/sdk/grant"
	"github.com/gsyncd/gsyncd-host/sdk/schema"
)

// checkFlags are the flags of plugin check.
type checkFlags struct {
	pluginFlags
	url      string
	settings []string
	dirs     []string
	origins  []string
	only     []string
	verbose  bool
}

func pluginCheckCommand(env *Env) *cobra.Command {
	var f checkFlags
	cmd := &cobra.Command{
		Use: "check NAME|FILE [--url URL]", Short: "Prove that a driver does what drivers must, faults included",
		Long: `check runs the conformance kit of sdk/drivertest on a driver, in the way in which
the host would run it, and prints what the driver can do and what it failed.

With --url it reads the resource there, changes nothing, and holds the answers
against each other: so nobody else should change it meanwhile. Without --url a
driver whose resources are directories of this machine is tried on empty ones,
which are made for that and removed; of others little can be said.

Faults are injected: the host stops in the middle of an answer, gives up, closes
the resource, kills the process.

Exit codes: 0 all passed, 1 something failed, 2 it could not be tried.`,
		Example: "  gsyncd-host plugin check ./zip.driver.wasm --allow-dir /srv/zips --url zip:///srv/zips/a.zip",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.check(cmd.Context(), env, args[0])
		},
	}
	f.add(cmd, true)
	flags := cmd.Flags()
	flags.StringVar(&f.url, "url", "", "the resource to read")
	flags.StringArrayVar(&f.settings, "set", nil, "a setting of the driver, as `NAME=VALUE`; may be given again")
	flags.StringArrayVar(&f.dirs, "allow-dir", nil, "a `DIRECTORY` that the driver may read; may be given again")
	flags.StringArrayVar(&f.origins, "allow-http", nil, "an origin of the web, as `URL`, that the driver may ask; may be given again")
	flags.StringSliceVar(&f.only, "only", nil, "make these checks only, by `NAME`")
	flags.BoolVar(&f.verbose, "notes", false, "print what checks that passed left out")
	return cmd
}

// checked is the outcome of all checks.
type checked struct {
	*description
	URL      string              `json:"url,omitempty"`
	Features []string            `json:"features,omitempty"`
	Lacks    []string            `json:"lacks,omitempty"`
	Results  []drivertest.Result `json:"results"`
	Passed   int                 `json:"passed"`
	Failed   int                 `json:"failed"`
	Skipped  int                 `json:"skipped"`
}

func (f *checkFlags) check(ctx context.Context, env *Env, arg string) error {
	t, err := f.find(env, arg)
	if err != nil {
		return err
	}
	if err := f.grant(env, t); err != nil {
		return err
	}
	desc, err := f.describe(ctx, env, t, true)
	if err != nil {
		return err
	}
	if desc.Kind != string(plugin.KindDriver) {
		return usage(fmt.Errorf("%s is a transfer method; prove it with sdk/transfertest in a test", desc.Name))
	}
	c := &trial{env: env, target: t, out: &checked{description: desc}, notes: f.verbose}
	if !f.json {
		c.card = env.Stdout
	}
	return c.run(ctx, f)
}

// grant adds what the command line allows to what the configuration does.
func (f *checkFlags) grant(env *Env, t *target) error {
	if len(f.dirs)+len(f.origins) == 0 {
		return nil
	}
	if t.origin == fromBuiltIn {
		return usage(errors.New("a built-in driver needs no grants: leave out --allow-dir and --allow-http"))
	}
	cwd, err := env.Getwd()
	if err != nil {
		return fail(err)
	}
	g := &t.declaration.Grants
	for _, dir := range f.dirs {
		if !filepath.IsAbs(dir) {
			dir = filepath.Join(cwd, dir)
		}
		g.Dirs = append(g.Dirs, grant.DirConfig{Path: filepath.Clean(dir)})
	}
	for _, o := range f.origins {
		g.HTTP = append(g.HTTP, grant.OriginConfig{URL: o})
	}
	if err := g.Validate(); err != nil {
		return usage(err)
	}
	for _, d := range g.Dirs {
		if st, err := os.Stat(d.Path); errors.Is(err, fs.ErrNotExist) || err == nil && !st.IsDir() {
			return usage(fmt.Errorf("--allow-dir: %s is not a directory", d.Path))
		}
	}
	return nil
}

// address is what --url names. The scheme may be one that no configuration declares.
func (f *checkFlags) address(desc *description) (sdk.Address, error) {
	u, err := resurl.Parse(f.url)
	var pe *resurl.ParseError
	switch {
	case errors.As(err, &pe):
		return sdk.Address{}, fmt.Errorf("--url: %s; %s", pe.Summary, pe.Hint)
	case err != nil:
		return sdk.Address{}, fmt.Errorf("--url: %w", err)
	}
	for _, s := range desc.Schemes {
		if s == u.Scheme() {
			return u.Address(), nil
		}
	}
	return sdk.Address{}, fmt.Errorf("--url: the driver opens URLs of %s, not of %s", strings.Join(desc.Schemes, ", "), u.Scheme())
}

// values are the driver's settings: those of the command line.
func (f *checkFlags) values(ctx context.Context, sup *plugin.Supervisor, name string) (schema.Values, error) {
	desc, err := sup.DescribeDriver(ctx, name)
	if err != nil {
		return nil, err
	}
	values, err := desc.Schema.Parse(f.settings)
	if err != nil {
		return nil, fmt.Errorf("--set: %w", err)
	}
	return values, nil
}

// checkLog is where the plugin's warnings go while it is checked.
func checkLog(env *Env, verbose bool) *slog.Logger {
	if !verbose {
		return slog.New(slog.DiscardHandler)
	}
	return newLogger(env.Stderr, config.Host{LogLevel: "debug"}, false)
}
