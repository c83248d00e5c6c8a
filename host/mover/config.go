package mover

import (
	"context"
	"log/slog"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/schema"
)

// The methods that are no plugin's name.
const (
	Auto   = "auto"
	Stream = "stream"
)

// Defaults of a Config.
const (
	// DefaultThreshold is the size from which on a changed file is worth
	// starting a transfer plugin: a start costs as much as copying some tens of
	// MiB on one machine.
	DefaultThreshold = 32 << 20
	// DefaultJobs is how many files or streams move at a time.
	DefaultJobs = 2
)

// Config says between what and how a Mover works.
type Config struct {
	Source sdk.Source
	Target sdk.Target
	// Method is Auto, Stream or the transfer plugin's name; "" is Auto.
	Method string
	// Transfer returns the transfer plugin, started if it is not running; it is
	// called on first use, and again after the plugin was found gone. nil says
	// that there is none.
	Transfer       func(context.Context) (sdk.Transfer, error)
	TransferConfig schema.Values // for the plugin, defaults filled in
	Jobs           int           // parallel workers; 0 is DefaultJobs
	Threshold      int64         // bytes; 0 is DefaultThreshold
	Rate           int64         // bytes a second over all methods; 0 sets no limit
	Logger         *slog.Logger  // nil drops what is logged
	// Progress, if not nil, is told of bytes as they move, from several
	// goroutines.
	Progress func(bytes int64)
}

func (c Config) withDefaults() Config {
	if c.Method == "" {
		c.Method = Auto
	}
	if c.Jobs <= 0 {
		c.Jobs = DefaultJobs
	}
	if c.Threshold <= 0 {
		c.Threshold = DefaultThreshold
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Progress == nil {
		c.Progress = func(int64) {}
	}
	return c
}
