package mover

import (
	"github.com/gsyncd/gsyncd-host/sdk"
)

// Job asks for one regular file.
type Job struct {
	Path sdk.Path
	// Entry is what a listing of the primary showed. A newer version is as good.
	Entry sdk.Entry
	// Staged is where to make the file on the secondary. It lies in Path's
	// directory there, and nothing is there yet.
	Staged sdk.Path
	// Old is the secondary's present regular file at Path, or nil.
	Old *sdk.Entry
	// Compare asks to make the file only if its bytes differ from those at Path
	// on the secondary. It holds for local copies; elsewhere the file is made.
	Compare bool
	// Tag is the caller's own.
	Tag any
}

// Result is the outcome of one job.
type Result struct {
	Job Job
	// Unchanged says that the bytes are equal and nothing was staged.
	Unchanged bool
	// Entry is the primary's, with Xattrs, as it was all the while the file was
	// read. Its Name is Path's last component.
	Entry  sdk.Entry
	Lost   sdk.Lost // what the secondary could not keep
	Synced bool     // the data of what is staged is on the disk
	Method string   // "stream" or the plugin's name
	Reason string   // why that method
	Bytes  int64    // the file's size, if it was made
	Moved  int64    // bytes that were written or had to cross
	// Beside says that entries of the secondary's root came and went meanwhile,
	// which moved its times.
	Beside bool
	// Err says why the file was not made. Nothing is left at Staged then, as far
	// as that could be had.
	Err *sdk.Error
	// Side is whose error Err is; 0 if that is not known.
	Side sdk.Role
	// Busy says that the file changed each time it was read. Another error of
	// KindChanged is of what is there instead of it.
	Busy bool
}

// item is a job on its way, with what was decided about it.
type item struct {
	Job
	reason string
}

// sameVersion reports whether two looks at a file saw the same content and
// attributes: every change of either moves the change time.
func sameVersion(a, b *sdk.Entry) bool {
	return a.Type == b.Type && a.ID == b.ID && a.Size == b.Size && a.Mtime == b.Mtime && a.Ctime == b.Ctime
}

// attempts is how often a file is read that changes meanwhile.
const attempts = 4

func keepsChanging(p sdk.Path) *sdk.Error {
	return &sdk.Error{Kind: sdk.KindChanged, Op: "read", Path: p, Msg: "file keeps changing"}
}

func notRegular(p sdk.Path, t sdk.Type) *sdk.Error {
	return &sdk.Error{Kind: sdk.KindChanged, Op: "read", Path: p, Msg: "a " + t.String() + " is there now"}
}
