package grant

import (
	"context"
	"io"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// Dir is a granted directory. Paths are relative to it; no path leads out, and no
// symbolic link is followed.
type Dir struct {
	set    *Set
	index  int
	config DirConfig
}

// Path is the directory's path as the configuration has it. It is for messages
// and comparisons: a guest cannot open it.
func (d *Dir) Path() string { return d.config.Path }

// Writable reports whether Target may be called.
func (d *Dir) Writable() bool { return d.config.Write }

// List returns the entries of a directory, sorted by the bytes of their names. A
// symbolic link comes with its Target; extended attributes and marks are left out.
// An entry that could not be described is of TypeUnknown with its Err.
func (d *Dir) List(ctx context.Context, p sdk.Path) ([]sdk.Entry, error) {
	if err := check("list", p); err != nil {
		return nil, err
	}
	var out []sdk.Entry
	err := d.set.list(ctx, d.index, p, func(e *sdk.Entry) error {
		out = append(out, *e)
		return nil
	})
	return out, err
}

// Stat describes one entry, as List does.
func (d *Dir) Stat(ctx context.Context, p sdk.Path) (sdk.Entry, error) {
	if err := check("stat", p); err != nil {
		return sdk.Entry{}, err
	}
	return d.set.stat(ctx, d.index, p)
}

// Open opens a regular file for reading. Anything else is an error of
// KindChanged.
func (d *Dir) Open(ctx context.Context, p sdk.Path) (*File, error) {
	if err := check("open", p); err != nil {
		return nil, err
	}
	f, e, err := d.set.open(ctx, d.index, p)
	if err != nil {
		return nil, err
	}
	return &File{file: f, entry: e}, nil
}

// TreeOptions say how a tree is opened.
type TreeOptions struct {
	// CrossMounts goes on below directories where another filesystem is mounted.
	CrossMounts bool
	// Jobs is how many directories are listed at once; 0 means one, 64 is the most.
	Jobs int
	// MarkKey names the mirror in a target's marks: that of the OpenRequest.
	MarkKey string
}

// MaxJobs is the largest TreeOptions.Jobs.
const MaxJobs = 64

// Source opens the directory at p as the primary side of a mirror. It has no
// endpoint: its data comes through Read.
func (d *Dir) Source(ctx context.Context, p sdk.Path, o TreeOptions) (sdk.Source, error) {
	if err := checkTree("open source", p, &o); err != nil {
		return nil, err
	}
	return d.set.source(ctx, d.index, p, o)
}

// Target opens the directory at p as the secondary side, and makes it if only
// that is missing. A second Target on it fails with KindBusy. It has no endpoint.
func (d *Dir) Target(ctx context.Context, p sdk.Path, o TreeOptions) (sdk.Target, error) {
	if err := checkTree("open target", p, &o); err != nil {
		return nil, err
	}
	if !d.config.Write {
		return nil, &sdk.Error{Kind: sdk.KindPermission, Op: "open target", Path: p, Msg: "the directory is granted for reading only"}
	}
	return d.set.target(ctx, d.index, p, o)
}

func checkTree(op string, p sdk.Path, o *TreeOptions) error {
	if o.Jobs < 0 || o.Jobs > MaxJobs {
		return &sdk.Error{Kind: sdk.KindInput, Op: op, Msg: "jobs must be 1 to 64"}
	}
	return check(op, p)
}

func check(op string, p sdk.Path) error {
	if err := p.Validate(); err != nil {
		return &sdk.Error{Kind: sdk.KindInput, Op: op, Msg: err.Error()}
	}
	return nil
}

// File is an open regular file.
type File struct {
	file
	entry sdk.Entry
}

var _ interface {
	io.ReaderAt
	io.Closer
} = (*File)(nil)

// Entry describes the file as it was when it was opened.
func (f *File) Entry() sdk.Entry { return f.entry }

// Size is the file's length in bytes when it was opened.
func (f *File) Size() int64 { return f.entry.Size }

// ReadAt implements [io.ReaderAt]. In a guest each call is one message of at most
// a mebibyte: read much at once, or through a bufio.Reader on an
// io.SectionReader.
func (f *File) ReadAt(p []byte, off int64) (int, error) { return f.file.ReadAt(p, off) }

// Close gives the file back. It may be called twice.
func (f *File) Close() error { return f.file.Close() }
