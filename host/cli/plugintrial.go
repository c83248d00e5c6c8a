package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/gsyncd/gsyncd-host/host/plugin"
	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/drivertest"
	"github.com/gsyncd/gsyncd-host/sdk/grant"
	"github.com/gsyncd/gsyncd-host/sdk/schema"
)

// trial runs the conformance kit on a plugin.
type trial struct {
	env    *Env
	target *target
	out    *checked
	card   io.Writer // nil: nothing is printed before the end
	notes  bool
	values schema.Values
}

func (c *trial) run(ctx context.Context, f *checkFlags) error {
	// Not named as the host names what it sweeps away.
	scratch, err := os.MkdirTemp("", "plugin-check-")
	if err != nil {
		return fail(err)
	}
	defer os.RemoveAll(scratch)
	if c.target.origin != fromBuiltIn {
		g := &c.target.declaration.Grants
		g.Dirs = append(g.Dirs, grant.DirConfig{Path: scratch, Write: true})
	}
	sup, err := c.target.supervisor(c.env, plugin.Options{Logger: checkLog(c.env, f.verbose)})
	if err != nil {
		return usage(err)
	}
	defer closeSoon(ctx, sup)
	if c.values, err = f.values(ctx, sup, c.out.Name); err != nil {
		return usage(err)
	}
	cfg := drivertest.Config{
		Values: c.values, Only: f.only,
		Launch:       func(t drivertest.T) sdk.Driver { d, _ := c.launch(t, sup); return d },
		LaunchToKill: func(t drivertest.T) (sdk.Driver, func()) { return c.launch(t, sup) },
	}
	if f.url != "" {
		if cfg.Existing, err = f.address(c.out.description); err != nil {
			return usage(err)
		}
		c.out.URL = f.url
	}
	if err := c.look(ctx, sup, &cfg, scratch); err != nil {
		return usage(err)
	}
	if c.card != nil {
		c.out.header(c.card)
		c.out.writeCan(c.card)
		fmt.Fprintln(c.card)
	}
	drivertest.Report(ctx, cfg, c.take)
	if ctx.Err() != nil {
		return fail(errStopped)
	}
	return c.conclude(&cfg)
}

// launch starts the plugin once more, until the test's end.
func (c *trial) launch(t drivertest.T, sup *plugin.Supervisor) (sdk.Driver, func()) {
	p, err := sup.Start(t.Context(), plugin.KindDriver, c.out.Name, "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Stop(context.WithoutCancel(t.Context())) })
	return p.Driver(), p.Kill
}

// look finds out what the resource keeps and, if none is named, whether the driver
// can be tried on directories.
func (c *trial) look(ctx context.Context, sup *plugin.Supervisor, cfg *drivertest.Config, scratch string) error {
	p, err := sup.Start(ctx, plugin.KindDriver, c.out.Name, "")
	if err != nil {
		return err
	}
	defer p.Stop(context.WithoutCancel(ctx))
	if cfg.Existing != (sdk.Address{}) {
		info, err := c.open(ctx, p.Driver(), cfg.Existing)
		if err != nil {
			err = fmt.Errorf("open %s: %w", c.out.URL, err)
			if c.target.declaration.Guest() && sdk.KindOf(err) == sdk.KindPermission {
				err = fmt.Errorf("%w; here --allow-dir and --allow-http allow it", err)
			}
			return err
		}
		c.out.Features, c.out.Lacks = features(info.Features)
		return nil
	}
	scheme := c.out.Schemes[0]
	info, ok := c.opensDirectories(ctx, p.Driver(), scheme, filepath.Join(scratch, "look"))
	if !ok {
		return nil
	}
	c.out.URL = "new directories of this machine"
	c.out.Features, c.out.Lacks = features(info.Features)
	cfg.NewTree = func(t drivertest.T) drivertest.Tree {
		dir, err := os.MkdirTemp(scratch, "tree-")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.RemoveAll(dir) })
		return drivertest.Tree{Address: sdk.Address{Scheme: scheme, Rest: dir}, Dir: dir}
	}
	return nil
}

// open opens a resource for a moment.
func (c *trial) open(ctx context.Context, d sdk.Driver, a sdk.Address) (sdk.Info, error) {
	if !plays(d, sdk.Primary) {
		return sdk.Info{}, errors.New("the driver opens secondaries only, which would be changed: it can be tried on new directories alone")
	}
	src, err := d.OpenSource(ctx, sdk.OpenRequest{Address: a, Role: sdk.Primary, Config: c.values})
	if err != nil {
		return sdk.Info{}, err
	}
	defer src.Close()
	return src.Info(), nil
}

func plays(d sdk.Driver, role sdk.Role) bool {
	for _, r := range d.Describe().Roles {
		if r == role {
			return true
		}
	}
	return false
}

// opensDirectories reports whether scheme:///path is the directory at that path:
// whether what is put there is found there.
func (c *trial) opensDirectories(ctx context.Context, d sdk.Driver, scheme, dir string) (sdk.Info, bool) {
	const probe = "probe"
	if err := os.Mkdir(dir, 0o755); err != nil {
		return sdk.Info{}, false
	}
	if err := os.WriteFile(filepath.Join(dir, probe), []byte(probe), 0o644); err != nil {
		return sdk.Info{}, false
	}
	req := sdk.OpenRequest{Address: sdk.Address{Scheme: scheme, Rest: dir}, Role: sdk.Primary, Config: c.values}
	var r sdk.Resource
	var err error
	if plays(d, sdk.Secondary) {
		req.Role, req.MarkKey = sdk.Secondary, "check"
		r, err = d.OpenTarget(ctx, req)
	} else {
		r, err = d.OpenSource(ctx, req)
	}
	if err != nil {
		return sdk.Info{}, false
	}
	defer r.Close()
	got, err := r.Stat(ctx, []sdk.Path{probe}, 0)
	ok := err == nil && len(got) == 1 && got[0].Type == sdk.TypeRegular && got[0].Size == int64(len(probe))
	return r.Info(), ok
}

// take notes a result, and shows it.
func (c *trial) take(r drivertest.Result) {
	c.out.Results = append(c.out.Results, r)
	switch r.Outcome {
	case drivertest.Passed:
		c.out.Passed++
	case drivertest.Failed:
		c.out.Failed++
	default:
		c.out.Skipped++
	}
	if c.card != nil {
		writeResult(c.card, r, c.notes)
	}
}

func (c *trial) conclude(cfg *drivertest.Config) error {
	if c.card == nil {
		if err := json.NewEncoder(c.env.Stdout).Encode(c.out); err != nil {
			return fail(err)
		}
	} else {
		fmt.Fprintf(c.card, "\n%d passed, %d failed, %d do not apply\n", c.out.Passed, c.out.Failed, c.out.Skipped)
		if cfg.NewTree == nil && cfg.Existing == (sdk.Address{}) {
			fmt.Fprintln(c.card, "The driver opens no directories of this machine: name a resource with --url to check more than its description.")
		}
	}
	switch {
	case c.out.Failed > 0:
		return &exitError{code: exitFailure}
	case c.out.Passed == 0:
		return usage(errors.New("nothing was checked"))
	}
	return nil
}
