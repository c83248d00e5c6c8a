package file_test

import (
	"context"
	"log/slog"
	"os"
	"testing"
	"time"

	"github.com/gsyncd/gsyncd-host/plugins/file"
	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/drivertest"
	"github.com/gsyncd/gsyncd-host/sdk/process"
)

// asPlugin makes the test binary serve the driver instead of testing it.
const asPlugin = "serve-file-driver"

func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == asPlugin {
		process.ServeDriver(func(log *slog.Logger) sdk.Driver { return file.New(log) })
		return
	}
	os.Exit(m.Run())
}

func TestDriver(t *testing.T) {
	drivertest.Run(t, drivertest.Config{
		New:     func() sdk.Driver { return file.New(nil) },
		Launch:  launch,
		NewTree: newTree,
		LaunchToKill: func(t drivertest.T) (sdk.Driver, func()) {
			p, d := start(t)
			return d, p.Kill
		},
	})
}

func newTree(t drivertest.T) drivertest.Tree {
	dir := t.TempDir() + "/tree"
	mkdir(t, dir)
	return drivertest.Tree{Address: sdk.Address{Scheme: "file", Rest: dir}, Dir: dir}
}

func launch(t drivertest.T) sdk.Driver { _, d := start(t); return d }

func start(t drivertest.T) (*process.Process, sdk.Driver) {
	t.Helper()
	self, err := os.Executable()
	must(t, err)
	p, err := process.Launch(t.Context(), process.Command{Path: self, Args: []string{asPlugin}})
	must(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		p.Stop(ctx)
	})
	d, err := p.Driver(t.Context())
	must(t, err)
	return p, d
}
