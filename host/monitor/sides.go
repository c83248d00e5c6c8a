package monitor

import (
	"context"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// Sides are the two opened sides of a mirror.
type Sides struct {
	Source sdk.Source
	Target sdk.Target
	// Transfer starts the transfer method's plugin when it is first needed; nil
	// if there is none.
	Transfer func(context.Context) (sdk.Transfer, error)
	// Close ends both sides and their plugins; it takes seconds at most.
	Close func()
}
