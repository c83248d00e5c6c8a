//go:build !wasip1

package serve

import (
	"log/slog"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/process"
)

// Driver serves the driver that build returns. Main does nothing after it. The
// logger's lines reach the host with their level and attributes.
func Driver(build func(*slog.Logger) sdk.Driver) { process.ServeDriver(build) }
