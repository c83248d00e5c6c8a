package serve

import (
	"log/slog"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/wasm"
)

// Driver serves the driver that build returns. Main does nothing after it. The
// logger's lines reach the host with their level and attributes.
func Driver(build func(*slog.Logger) sdk.Driver) { wasm.Serve(build) }
