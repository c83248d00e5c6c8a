package localtree

import (
	"context"
	"log/slog"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/localfs"
)

// Options say how a tree is opened. The zero value is for a plain directory.
// The functions are hooks for filesystems that need more than that; each may be
// nil, and may be called concurrently.
type Options struct {
	// Logger takes what is worth a word but no error; nil means silence.
	Logger *slog.Logger
	// CrossMounts goes on below directories where another filesystem is mounted.
	CrossMounts bool
	// Jobs is how many directories are listed at once; 0 means one.
	Jobs int
	// MarkKey names the mirror in a target's marks. A source needs none.
	MarkKey string
	// MarkSpace is the namespace of a target's marks, "trusted." or "user."; empty
	// means what the probe finds best.
	MarkSpace string

	// Identity looks at the tree anew, beyond what localtree does itself, and may
	// change what that found.
	Identity func(ctx context.Context, found sdk.Identity) (sdk.Identity, error)
	// Beacon reads the clock that stamps the changes of a source. Without it
	// localtree finds that out itself.
	Beacon func(ctx context.Context) (sdk.Beacon, error)
	// Guard is asked before and after each listing whether all of the directory
	// can be seen: an error makes the listing incomplete.
	Guard func(d *localfs.Dir) error
	// Sync makes a target durable. Without it the filesystem is synced.
	Sync func(ctx context.Context) error
	// Closed is called once, when nothing of the tree is open any more. If
	// opening fails it is not called.
	Closed func() error
}

func (o Options) logger() *slog.Logger {
	if o.Logger == nil {
		return slog.New(slog.DiscardHandler)
	}
	return o.Logger
}
