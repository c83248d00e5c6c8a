package agent

import (
	"context"
	"sync/atomic"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/schema"
)

// pinned is a driver that opens one address, whatever it is asked for: what the
// agent was started for is decided on this side.
type pinned struct {
	driver  sdk.Driver
	address sdk.Address
	// takeOver ends others that hold the address and have lost their clients, and
	// reports whether there were any; may be nil.
	takeOver func(context.Context) bool
	target   atomic.Pointer[string] // the open secondary's path
}

var _ sdk.Driver = (*pinned)(nil)

func (p *pinned) here(req sdk.OpenRequest) sdk.OpenRequest {
	req.Address = p.address
	return req
}

// Describe implements [sdk.Driver].
func (p *pinned) Describe() sdk.Descriptor { return p.driver.Describe() }

// Check implements [sdk.Driver].
func (p *pinned) Check(ctx context.Context, req sdk.OpenRequest) []schema.Diagnostic {
	return p.driver.Check(ctx, p.here(req))
}

// OpenSource implements [sdk.Driver].
func (p *pinned) OpenSource(ctx context.Context, req sdk.OpenRequest) (sdk.Source, error) {
	return p.driver.OpenSource(ctx, p.here(req))
}

// OpenTarget implements [sdk.Driver].
func (p *pinned) OpenTarget(ctx context.Context, req sdk.OpenRequest) (sdk.Target, error) {
	t, err := p.driver.OpenTarget(ctx, p.here(req))
	if sdk.KindOf(err) == sdk.KindBusy && p.takeOver != nil && p.takeOver(ctx) {
		t, err = p.driver.OpenTarget(ctx, p.here(req))
	}
	if err != nil {
		return nil, err
	}
	if e := t.Info().Endpoint; e.Local() {
		p.target.Store(&e.Path)
	}
	return t, nil
}

// targetPath is where on this machine the secondary is that was opened; "" if
// none was, or it is elsewhere.
func (p *pinned) targetPath() string {
	if path := p.target.Load(); path != nil {
		return *path
	}
	return ""
}
