package wasm

import (
	"log/slog"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// Serve makes this module a guest that serves the driver that build returns.
func Serve(build func(*slog.Logger) sdk.Driver) { _ = build }
