package wasmrun

import (
	"context"
	"fmt"
	"log/slog"
	"reflect"
	"runtime"
	"sync"

	"github.com/gsyncd/gsyncd-host/host/plugin/wasmfile"
	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/schema"
	"github.com/gsyncd/gsyncd-host/sdk/wasm"
	"github.com/gsyncd/gsyncd-host/sdk/wire"
)

// Driver is a guest as a driver. Its methods may be called concurrently.
type Driver struct {
	engine *engine
	desc   sdk.Descriptor

	mu    sync.Mutex
	front *instance // for what needs no resource
}

var _ sdk.Driver = (*Driver)(nil)

// New compiles a module and asks it what it is. A module whose manifest says
// something else is refused, unless it is to get another. The caller closes the driver.
func New(ctx context.Context, f *wasmfile.File, c Config, log *slog.Logger) (*Driver, error) {
	e, err := newEngine(ctx, f, c, log)
	if err != nil {
		return nil, err
	}
	d := &Driver{engine: e}
	if err := d.describe(ctx, f); err != nil {
		_ = d.Close()
		return nil, fmt.Errorf("%s: %w", f.Path, err)
	}
	return d, nil
}

func (d *Driver) describe(ctx context.Context, f *wasmfile.File) error {
	i, err := d.instance(ctx)
	if err != nil {
		return err
	}
	if d.desc, err = describe(ctx, i); err != nil {
		return err
	}
	if d.engine.config.Repack {
		return nil
	}
	manifest, found, err := f.Manifest()
	if err != nil {
		return err
	}
	if found && !reflect.DeepEqual(manifest, d.desc) {
		return fmt.Errorf("its manifest says something else than the module itself, which calls itself %q, version %q: pack it anew", d.desc.Name, d.desc.Version)
	}
	return nil
}

// describe asks a guest what it is.
func describe(ctx context.Context, i *instance) (d sdk.Descriptor, err error) {
	err = i.Call(ctx, wasm.Describe, nil, func(answer []byte) (err error) {
		if d, err = wire.DecodeManifest(answer); err != nil {
			return fmt.Errorf("what it says of itself: %w", err)
		}
		return nil
	})
	return d, err
}

// Close ends all instances.
func (d *Driver) Close() error { return d.engine.close(context.Background()) }

// instance returns the front instance, a new one if the last one failed.
func (d *Driver) instance(ctx context.Context) (*instance, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.front != nil && d.front.broken() == nil {
		return d.front, nil
	}
	i, err := d.engine.newInstance(ctx)
	if err != nil {
		return nil, err
	}
	d.front = i
	return i, nil
}

// Describe implements [sdk.Driver].
func (d *Driver) Describe() sdk.Descriptor { return d.desc }

// Check implements [sdk.Driver].
func (d *Driver) Check(ctx context.Context, req sdk.OpenRequest) (out []schema.Diagnostic) {
	request, err := wire.AppendOpen(nil, &req)
	if err == nil {
		var i *instance
		if i, err = d.instance(ctx); err == nil {
			err = i.Call(ctx, wasm.Check, request, func(answer []byte) (err error) {
				out, err = wire.DecodeDiagnostics(answer)
				return err
			})
		}
	}
	if err != nil {
		return []schema.Diagnostic{{Summary: "the plugin could not check this: " + err.Error()}}
	}
	return out
}

// OpenSource implements [sdk.Driver].
func (d *Driver) OpenSource(ctx context.Context, req sdk.OpenRequest) (sdk.Source, error) {
	req.Role = sdk.Primary
	request, err := wire.AppendOpen(nil, &req)
	if err != nil {
		return nil, &sdk.Error{Kind: sdk.KindInput, Op: "open source", Msg: err.Error()}
	}
	s := &source{pool[sdk.Source]{engine: d.engine, most: max(2, min(4, runtime.GOMAXPROCS(0))), open: func(ctx context.Context, i *instance) (sdk.Source, error) {
		return wasm.OpenSource(ctx, i, wasm.Open, request)
	}}}
	return s, s.first(ctx)
}

// OpenTarget implements [sdk.Driver].
func (d *Driver) OpenTarget(ctx context.Context, req sdk.OpenRequest) (sdk.Target, error) {
	req.Role = sdk.Secondary
	request, err := wire.AppendOpen(nil, &req)
	if err != nil {
		return nil, &sdk.Error{Kind: sdk.KindInput, Op: "open target", Msg: err.Error()}
	}
	t := &target{pool[sdk.Target]{engine: d.engine, most: 1, once: true, open: func(ctx context.Context, i *instance) (sdk.Target, error) {
		return wasm.OpenTarget(ctx, i, wasm.Open, request)
	}}}
	return t, t.first(ctx)
}
