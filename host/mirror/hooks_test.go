package mirror_test

import (
	"context"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// hooks stand between the mirror and a side. A nil one lets the call through.
// next does what the call would have done without the hook.
type hooks struct {
	info     func(sdk.Info) sdk.Info
	identity func(next func() (sdk.Identity, error)) (sdk.Identity, error)
	scan     func(req sdk.ScanRequest, sink sdk.ScanSink, next func(sdk.ScanRequest, sdk.ScanSink) error) error
	stat     func(paths []sdk.Path, fields sdk.Fields, next func() ([]sdk.Entry, error)) ([]sdk.Entry, error)
	beacon   func(next func() (sdk.Beacon, error)) (sdk.Beacon, error)
	read     func(paths []sdk.Path, sink sdk.ReadSink, next func([]sdk.Path, sdk.ReadSink) error) error
	apply    func(ops []sdk.Op, next func([]sdk.Op) ([]sdk.OpResult, error)) ([]sdk.OpResult, error)
	write    func(next func() (sdk.Writer, error)) (sdk.Writer, error)
	sync     func(next func() error) error
}

func withoutPath(i sdk.Info) sdk.Info {
	i.Endpoint = sdk.Endpoint{}
	return i
}

// hookSource is a Source with hooks.
type hookSource struct {
	sdk.Source
	*hooks
}

var _ sdk.Source = hookSource{}

func (s hookSource) Info() sdk.Info { return hookedInfo(s.Source, s.hooks) }

func (s hookSource) Identity(ctx context.Context) (sdk.Identity, error) {
	return hookedIdentity(ctx, s.Source, s.hooks)
}

func (s hookSource) Scan(ctx context.Context, req sdk.ScanRequest, sink sdk.ScanSink) error {
	return hookedScan(ctx, s.Source, s.hooks, req, sink)
}

func (s hookSource) Stat(ctx context.Context, paths []sdk.Path, fields sdk.Fields) ([]sdk.Entry, error) {
	return hookedStat(ctx, s.Source, s.hooks, paths, fields)
}

func (s hookSource) Beacon(ctx context.Context) (sdk.Beacon, error) {
	next := func() (sdk.Beacon, error) { return s.Source.Beacon(ctx) }
	if s.beacon == nil {
		return next()
	}
	return s.beacon(next)
}

func (s hookSource) Read(ctx context.Context, paths []sdk.Path, sink sdk.ReadSink) error {
	next := func(paths []sdk.Path, sink sdk.ReadSink) error { return s.Source.Read(ctx, paths, sink) }
	if s.read == nil {
		return next(paths, sink)
	}
	return s.read(paths, sink, next)
}

// hookTarget is a Target with hooks.
type hookTarget struct {
	sdk.Target
	*hooks
}

var _ sdk.Target = hookTarget{}

func (t hookTarget) Info() sdk.Info { return hookedInfo(t.Target, t.hooks) }

func (t hookTarget) Identity(ctx context.Context) (sdk.Identity, error) {
	return hookedIdentity(ctx, t.Target, t.hooks)
}

func (t hookTarget) Scan(ctx context.Context, req sdk.ScanRequest, sink sdk.ScanSink) error {
	return hookedScan(ctx, t.Target, t.hooks, req, sink)
}

func (t hookTarget) Stat(ctx context.Context, paths []sdk.Path, fields sdk.Fields) ([]sdk.Entry, error) {
	return hookedStat(ctx, t.Target, t.hooks, paths, fields)
}

func (t hookTarget) Apply(ctx context.Context, ops []sdk.Op) ([]sdk.OpResult, error) {
	next := func(ops []sdk.Op) ([]sdk.OpResult, error) { return t.Target.Apply(ctx, ops) }
	if t.apply == nil {
		return next(ops)
	}
	return t.apply(ops, next)
}

func (t hookTarget) Write(ctx context.Context) (sdk.Writer, error) {
	next := func() (sdk.Writer, error) { return t.Target.Write(ctx) }
	if t.write == nil {
		return next()
	}
	return t.write(next)
}

func (t hookTarget) Sync(ctx context.Context) error {
	next := func() error { return t.Target.Sync(ctx) }
	if t.sync == nil {
		return next()
	}
	return t.sync(next)
}

func hookedInfo(r sdk.Resource, h *hooks) sdk.Info {
	if h.info == nil {
		return r.Info()
	}
	return h.info(r.Info())
}

func hookedIdentity(ctx context.Context, r sdk.Resource, h *hooks) (sdk.Identity, error) {
	next := func() (sdk.Identity, error) { return r.Identity(ctx) }
	if h.identity == nil {
		return next()
	}
	return h.identity(next)
}

func hookedScan(ctx context.Context, r sdk.Resource, h *hooks, req sdk.ScanRequest, sink sdk.ScanSink) error {
	next := func(req sdk.ScanRequest, sink sdk.ScanSink) error { return r.Scan(ctx, req, sink) }
	if h.scan == nil {
		return next(req, sink)
	}
	return h.scan(req, sink, next)
}

func hookedStat(ctx context.Context, r sdk.Resource, h *hooks, paths []sdk.Path, fields sdk.Fields) ([]sdk.Entry, error) {
	next := func() ([]sdk.Entry, error) { return r.Stat(ctx, paths, fields) }
	if h.stat == nil {
		return next()
	}
	return h.stat(paths, fields, next)
}
