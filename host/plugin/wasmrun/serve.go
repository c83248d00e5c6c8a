package wasmrun

import (
	"context"
	"errors"
	"log/slog"

	"github.com/gsyncd/gsyncd-host/host/plugin/wasmfile"
	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/process"
)

// Serve makes this process the runner of the module at path. It returns when the
// host ends it. An error says why the module cannot be run.
func Serve(ctx context.Context, path string) error {
	data, err := process.Handout()
	if err != nil {
		return err
	}
	if data == nil {
		return errors.New("a module is run by the program itself, for a plugin block whose source it is")
	}
	c, err := unmarshal(data)
	if err != nil {
		return err
	}
	if err := limitProcess(c.withDefaults().Memory); err != nil {
		return err
	}
	f, err := wasmfile.Read(path, c.SHA256)
	if err != nil {
		return err
	}
	return process.TryServeDriver(func(log *slog.Logger) (sdk.Driver, error) {
		return New(ctx, f, c, log)
	})
}
