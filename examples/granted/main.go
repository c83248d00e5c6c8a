// Command granted is an example of a driver that can be a WASM guest: granted:// is
// a directory of this machine that the configuration grants, as either side of a
// mirror. It does what the built-in driver of files does, but reaches nothing else.
//
//	GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared -o granted.driver.wasm ./examples/granted
//
// Without these variables the same source is a plugin process.
package main

import (
	"log/slog"

	"github.com/gsyncd/gsyncd-host/examples/granted/beneath"
	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/grant"
	"github.com/gsyncd/gsyncd-host/sdk/serve"
)

func main() {
	serve.Driver(func(log *slog.Logger) sdk.Driver { return beneath.New(log, grant.Given()) })
}
