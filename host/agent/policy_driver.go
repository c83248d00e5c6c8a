package agent

import (
	"context"
	"time"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// guardedDriver is a driver whose targets keep to a policy.
type guardedDriver struct {
	sdk.Driver
	policy Policy
	clock  func() time.Time
}

var _ sdk.Driver = (*guardedDriver)(nil)

// OpenTarget implements [sdk.Driver].
func (g *guardedDriver) OpenTarget(ctx context.Context, req sdk.OpenRequest) (sdk.Target, error) {
	if g.policy.Access == ReadOnly {
		return nil, g.policy.refuse("open as a secondary", "", "change anything")
	}
	t, err := g.Driver.OpenTarget(ctx, req)
	if err != nil {
		return nil, err
	}
	out := &guardedTarget{Target: t, policy: g.policy, turn: make(chan struct{}, 1)}
	if g.policy.MaxBytes > 0 {
		out.quota = &quota{max: g.policy.MaxBytes, clock: g.clock, count: func(ctx context.Context) (int64, error) { return treeBytes(ctx, t) }}
	}
	return out, nil
}
