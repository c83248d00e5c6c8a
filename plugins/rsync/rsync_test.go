package rsync_test

import (
	"os"
	"os/exec"
	"testing"

	"github.com/gsyncd/gsyncd-host/plugins/rsync"
	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/transfertest"
)

// needRsync skips where there is no rsync, but never where CI is set: there it
// was to be installed.
func needRsync(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("rsync")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("rsync is not installed: apt install rsync")
		}
		t.Skip("SKIPPED, NOT TESTED: rsync is not installed (apt install rsync)")
	}
	return path
}

func TestConformance(t *testing.T) {
	needRsync(t)
	transfertest.Run(t, transfertest.Config{
		New: func(*testing.T) sdk.Transfer { return rsync.New(nil) },
	})
}
