package rsync_test

import (
	"context"
	"log/slog"
	"os"
	"os/exec"
	"testing"

	"github.com/gsyncd/gsyncd-host/plugins/rsync"
	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/process"
	"github.com/gsyncd/gsyncd-host/sdk/transfertest"
)

// asPlugin tells the test's program that it was started as the plugin.
const asPlugin = "GSYNCD_HOST_TEST_PLUGIN"

func TestMain(m *testing.M) {
	if os.Getenv(asPlugin) != "" {
		process.ServeTransfer(func(log *slog.Logger) sdk.Transfer { return rsync.New(log) })
		return
	}
	os.Exit(m.Run())
}

// needRsync skips where there is no rsync, but never where CI is set: there it
// was to be installed.
func needRsync(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("rsync"); err == nil {
		return
	}
	if os.Getenv("CI") == "true" {
		t.Fatal("rsync is not installed: apt install rsync")
	}
	t.Skip("SKIPPED, NOT TESTED: rsync is not installed (apt install rsync)")
}

func TestConformance(t *testing.T) {
	needRsync(t)
	transfertest.Run(t, transfertest.Config{
		New:    func(*testing.T) sdk.Transfer { return rsync.New(nil) },
		Launch: launch,
	})
}

func launch(t *testing.T) sdk.Transfer {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p, err := process.Launch(t.Context(), process.Command{
		Path: self,
		Env:  []string{asPlugin + "=rsync", "PATH=" + os.Getenv("PATH")},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Stop(context.Background()) })
	transfer, err := p.Transfer(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return transfer
}
