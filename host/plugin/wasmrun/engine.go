package wasmrun

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"

	"github.com/gsyncd/gsyncd-host/host/plugin/wasmfile"
	"github.com/gsyncd/gsyncd-host/sdk/grant"
	"github.com/gsyncd/gsyncd-host/sdk/wasm"
	"github.com/gsyncd/gsyncd-host/sdk/wire"
)

// engine is a compiled module and what its instances have in common. Its methods
// may be called concurrently.
type engine struct {
	config  Config
	log     *slog.Logger
	granted *grant.Set
	runtime wazero.Runtime
	cache   wazero.CompilationCache
	module  wazero.CompiledModule
	said    *spout // what guests write and log
}

// newEngine compiles a module. Errors name the file.
func newEngine(ctx context.Context, f *wasmfile.File, c Config, log *slog.Logger) (*engine, error) {
	c = c.withDefaults()
	e := &engine{config: c, log: log, granted: grant.New(c.Grants), said: newSpout(log)}
	conf := wazero.NewRuntimeConfig().
		WithMemoryLimitPages(uint32((c.Memory + pageSize - 1) / pageSize)).
		WithCloseOnContextDone(!c.Trusted).
		WithDebugInfoEnabled(false)
	var err error
	if e.cache, err = openCache(c.CacheDir); err != nil {
		log.Warn("compiled modules are not kept", "error", err)
	} else {
		conf = conf.WithCompilationCache(e.cache)
	}
	e.runtime = wazero.NewRuntimeWithConfig(ctx, conf)
	if err := e.build(ctx, f); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", f.Path, err), e.close(ctx))
	}
	return e, nil
}

func (e *engine) build(ctx context.Context, f *wasmfile.File) (err error) {
	if _, err := wasi_snapshot_preview1.Instantiate(ctx, e.runtime); err != nil {
		return fmt.Errorf("offer the system's interface: %w", err)
	}
	if err := e.offer(ctx); err != nil {
		return fmt.Errorf("offer the host's functions: %w", err)
	}
	if e.module, err = e.runtime.CompileModule(ctx, f.Data); err != nil {
		return fmt.Errorf("compile: %w", firstLine(err))
	}
	return e.check()
}

// signature is what a function takes and returns.
type signature struct{ params, results []api.ValueType }

func (s signature) fits(d api.FunctionDefinition) bool {
	return string(s.params) == string(d.ParamTypes()) && string(s.results) == string(d.ResultTypes())
}

func exports() map[string]signature {
	const i32, i64 = api.ValueTypeI32, api.ValueTypeI64
	return map[string]signature{
		wasm.ExportVersion: {nil, []api.ValueType{i32}},
		wasm.ExportAlloc:   {[]api.ValueType{i32}, []api.ValueType{i32}},
		wasm.ExportCall:    {[]api.ValueType{i32, i32, i32}, []api.ValueType{i64}},
	}
}

// check says what about the module does not fit this program.
func (e *engine) check() error {
	have := e.module.ExportedFunctions()
	for _, name := range []string{wasm.ExportVersion, wasm.ExportAlloc, wasm.ExportCall} {
		switch d := have[name]; {
		case d == nil:
			return fmt.Errorf("not a driver: it does not export %s; serve it with sdk/serve and build it with -buildmode=c-shared", name)
		case !exports()[name].fits(d):
			return fmt.Errorf("its %s takes or returns something else", name)
		}
	}
	if e.module.ExportedMemories()["memory"] == nil {
		return errors.New("not a driver: it does not export its memory")
	}
	for _, d := range e.module.ImportedFunctions() {
		module, name, _ := d.Import()
		switch {
		case module == wasi_snapshot_preview1.ModuleName:
		case module == wasm.ImportModule && (name == wasm.ImportCall || name == wasm.ImportFetch):
		case strings.HasPrefix(module, "gsyncd_host_"):
			return fmt.Errorf("it is for another version of this program: it imports %s.%s", module, name)
		default:
			return fmt.Errorf("it imports %s.%s, which no guest is given", module, name)
		}
	}
	return nil
}

// close ends all instances.
func (e *engine) close(ctx context.Context) error {
	errs := []error{e.runtime.Close(ctx), e.granted.Close()}
	if e.cache != nil {
		errs = append(errs, e.cache.Close(ctx))
	}
	return errors.Join(errs...)
}

func firstLine(err error) error {
	line, _, more := strings.Cut(err.Error(), "\n")
	if !more {
		return err
	}
	return errors.New(line)
}

// wrongVersion is the error of a guest that speaks another language.
func wrongVersion(v uint64) error {
	return fmt.Errorf("it is for ABI version %d, and this program has version %d", uint32(v), wire.ABI)
}
