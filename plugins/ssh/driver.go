package ssh

import (
	"context"
	"log/slog"
	"os"
	"os/user"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/schema"
)

// Version is the driver's, for people.
const Version = "0.1.0"

// driver opens trees on other machines.
type driver struct {
	log     *slog.Logger
	me      local
	program *payload // nil: nothing is put on other machines
}

var _ sdk.Driver = (*driver)(nil)

// local is who runs this, and where that user's files are.
type local struct {
	user      string
	home      string
	authSock  string // the ssh agent's socket, or ""
	systemDir string // of the machine's ssh configuration
}

// New returns what makes the driver, which may put the program on other
// machines. A nil logger means silence.
func New(program Program) func(*slog.Logger) sdk.Driver {
	p := newPayload(program)
	return func(log *slog.Logger) sdk.Driver { return newDriver(p, log) }
}

func newDriver(program *payload, log *slog.Logger) sdk.Driver {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	me := local{user: os.Getenv("USER"), home: os.Getenv("HOME"), authSock: os.Getenv("SSH_AUTH_SOCK"), systemDir: "/etc/ssh"}
	if u, err := user.Current(); err == nil {
		me.user = u.Username
		if me.home == "" {
			me.home = u.HomeDir
		}
	}
	return &driver{log: log, me: me, program: program}
}

// Describe implements [sdk.Driver].
func (d *driver) Describe() sdk.Descriptor {
	return sdk.Descriptor{
		Name: "ssh", Version: Version, Schemes: []string{"ssh"},
		Roles:  []sdk.Role{sdk.Primary, sdk.Secondary},
		Native: true, // what is at the far end may have
		Schema: settingsSchema(),
	}
}

// Check implements [sdk.Driver]. It looks at what is on this machine, and does
// not connect.
func (d *driver) Check(_ context.Context, req sdk.OpenRequest) []schema.Diagnostic {
	r, diags := d.route(req)
	if len(r.hops) == 0 {
		return diags
	}
	for _, w := range r.warnings {
		diags = append(diags, schema.Diagnostic{Warning: true, Summary: w, Detail: "What it would set has no effect on this mirror. Say it in a Host block, or in the driver block."})
	}
	if d := r.last().checkKeys(); d != nil {
		diags = append(diags, *d)
	}
	return diags
}

// OpenSource implements [sdk.Driver].
func (d *driver) OpenSource(ctx context.Context, req sdk.OpenRequest) (sdk.Source, error) {
	req.Role = sdk.Primary
	f, err := d.open(ctx, req)
	if err != nil {
		return nil, err
	}
	var src sdk.Source
	if err := f.open(ctx, func() (err error) {
		src, err = f.driver.OpenSource(ctx, f.request)
		return err
	}); err != nil {
		return nil, err
	}
	return &source{Source: src, far: f}, nil
}

// OpenTarget implements [sdk.Driver].
func (d *driver) OpenTarget(ctx context.Context, req sdk.OpenRequest) (sdk.Target, error) {
	req.Role = sdk.Secondary
	f, err := d.open(ctx, req)
	if err != nil {
		return nil, err
	}
	var dst sdk.Target
	if err := f.open(ctx, func() (err error) {
		dst, err = f.driver.OpenTarget(ctx, f.request)
		return err
	}); err != nil {
		return nil, err
	}
	if err := f.openShell(); err != nil {
		d.log.Warn("rsync cannot use the connection", "error", err)
	}
	return &target{Target: dst, far: f}, nil
}

// open logs in and starts the agent.
func (d *driver) open(ctx context.Context, req sdk.OpenRequest) (*far, error) {
	r, diags := d.route(req)
	for _, diag := range diags {
		if !diag.Warning {
			return nil, &sdk.Error{Kind: sdk.KindInput, Op: "open " + req.Address.String(), Msg: diag.Summary}
		}
	}
	for _, w := range r.warnings {
		d.log.Warn(w)
	}
	return newFar(ctx, r, req, d.log.With("host", r.last().alias))
}
