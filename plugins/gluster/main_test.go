package gluster_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"testing"
	"time"

	"github.com/gsyncd/gsyncd-host/plugins/gluster"
	"github.com/gsyncd/gsyncd-host/plugins/gluster/glusterlab"
	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/drivertest"
	"github.com/gsyncd/gsyncd-host/sdk/process"
)

// asPlugin makes the test binary serve the driver instead of testing it, with
// its mounts in the directory named after it.
const asPlugin = "serve-gluster-driver"

// lab is one Gluster for all tests.
var lab glusterlab.Shared

func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == asPlugin {
		process.ServeDriver(func(log *slog.Logger) sdk.Driver { return gluster.In(os.Args[2], log) })
		return
	}
	code := m.Run()
	if err := lab.Close(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = max(code, 1)
	}
	os.Exit(code)
}

func must(t drivertest.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// launch starts the driver as a process.
func launch(t drivertest.T, runDir string) (*process.Process, sdk.Driver) {
	t.Helper()
	self, err := os.Executable()
	must(t, err)
	p, err := process.Launch(t.Context(), process.Command{Path: self, Args: []string{asPlugin, runDir}, Env: []string{"PATH=" + os.Getenv("PATH")}})
	must(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		p.Stop(ctx)
	})
	d, err := p.Driver(t.Context())
	must(t, err)
	return p, d
}
