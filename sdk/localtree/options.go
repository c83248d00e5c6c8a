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

	// Marks is another path to the tree, on a mount of its own, by which marks are
	// set and native xtimes are read and set, and which Guard and SetVolumeMark are
	// shown. Empty means that there is no need for one.
	Marks string

	// Volume is the one whose native xtimes are kept in the tree: in the attribute
	// "trusted.glusterfs.<volume>.xtime" of directories, as Gluster and the classic
	// gsyncd have it. A source reads them; a target keeps them too, if it can.
	Volume sdk.UUID
	// Hidden tells by their names which entries of the root are not listed: those
	// that the filesystem or the driver keeps there for itself. Nil means none.
	Hidden func(name string) bool
	// FsyncRenamed makes OpRename write the data of the program's own files to the
	// disk before they get their names, so many files at once. It is for
	// filesystems whose Sync does not reach data; 0 leaves that to Sync.
	FsyncRenamed int

	// Identity looks at the tree anew, beyond what localtree does itself, and may
	// change what that found.
	Identity func(ctx context.Context, found sdk.Identity) (sdk.Identity, error)
	// Beacon reads the clock that stamps the changes of a source. Without it
	// localtree finds that out itself.
	Beacon func(ctx context.Context) (sdk.Beacon, error)
	// Guard is asked before each listing whether all of the directory can be seen.
	// What it returns is asked the same after the listing, and now and then
	// during a long one. An error makes the listing incomplete.
	Guard func(d *localfs.Dir) (again func() error, err error)
	// Sync makes a target durable. Without it the filesystem is synced.
	Sync func(ctx context.Context) error
	// SetVolumeMark renews a volume's mark on a directory: the root, or one that is
	// made to try it. It must fail if the mark is not kept.
	SetVolumeMark func(d *localfs.Dir, m sdk.VolumeMark) error
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
