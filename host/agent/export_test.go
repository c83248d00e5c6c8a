package agent

import (
	"time"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// Guard holds a driver to a policy.
func Guard(d sdk.Driver, p Policy, clock func() time.Time) sdk.Driver {
	return &guardedDriver{Driver: d, policy: p, clock: clock}
}

// Words and Quote are the two sides of a command line.
func Words(line string) ([]string, error) { return words(line) }
func Quote(s string) string               { return quote(s) }
