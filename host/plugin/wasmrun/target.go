package wasmrun

import (
	"context"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// target is a target in a guest. When the guest fails the resource is gone, as with
// any plugin that dies: what it had done and not yet made durable may be lost, and
// no later Sync could vouch for it.
type target struct{ pool[sdk.Target] }

var _ sdk.Target = (*target)(nil)

// Identity implements [sdk.Resource].
func (t *target) Identity(ctx context.Context) (sdk.Identity, error) {
	return one(ctx, &t.pool, func(r sdk.Target) (sdk.Identity, error) { return r.Identity(ctx) })
}

// Stat implements [sdk.Resource].
func (t *target) Stat(ctx context.Context, paths []sdk.Path, fields sdk.Fields) ([]sdk.Entry, error) {
	return one(ctx, &t.pool, func(r sdk.Target) ([]sdk.Entry, error) { return r.Stat(ctx, paths, fields) })
}

// Scan implements [sdk.Resource].
func (t *target) Scan(ctx context.Context, req sdk.ScanRequest, sink sdk.ScanSink) error {
	return scan(ctx, &t.pool, req, sink)
}

// Apply implements [sdk.Target].
func (t *target) Apply(ctx context.Context, ops []sdk.Op) ([]sdk.OpResult, error) {
	return one(ctx, &t.pool, func(r sdk.Target) ([]sdk.OpResult, error) { return r.Apply(ctx, ops) })
}

// Write implements [sdk.Target].
func (t *target) Write(ctx context.Context) (sdk.Writer, error) {
	return one(ctx, &t.pool, func(r sdk.Target) (sdk.Writer, error) { return r.Write(ctx) })
}

// Sync implements [sdk.Target].
func (t *target) Sync(ctx context.Context) error {
	_, err := one(ctx, &t.pool, func(r sdk.Target) (struct{}, error) { return struct{}{}, r.Sync(ctx) })
	return err
}
