package sdk

import (
	"context"

	"github.com/gsyncd/gsyncd-host/sdk/schema"
)

// TransferDescriptor tells what a transfer method is, without I/O.
type TransferDescriptor struct {
	Name    string
	Version string
	// Remote says that a job's target may be behind a shell. The source must be
	// local.
	Remote bool
	// Delta says that a file's earlier version saves bytes.
	Delta  bool
	Schema schema.Schema
}

// Names of the two directories in a job's Dir.
const (
	JobBasis = "basis" // earlier versions, by file name
	JobOut   = "out"   // where the method makes the new ones
)

// Job says where from and where to.
type Job struct {
	Source Endpoint
	Target Endpoint
	// Dir is a directory of the target that belongs to this job alone. It holds
	// JobBasis, with a hard link to the earlier version of each file that has
	// one (never to be written to), and JobOut, empty at first.
	Dir    Path
	Config schema.Values
}

// File is one regular file of a job.
type File struct {
	// Name is the file's name in JobBasis and JobOut: digits, unique in the job.
	Name  string
	Path  Path // in the source
	Size  int64
	ID    FileID // what is expected at Path; anything else is KindChanged
	Basis bool   // an earlier version lies in JobBasis
}

// FileResult is the outcome for one file: Err nil says that JobOut holds all of
// the file's data. Owner, mode, time and attributes are not the method's to set.
type FileResult struct {
	Name  string
	Err   *Error
	Moved int64 // bytes that had to cross, data and protocol
}

// Transfer moves file data. Its methods may be called concurrently, Run for jobs
// that share nothing but their source.
//
// The host guarantees that a job's Dir is there, and nobody else's. Whether what was made is one whole version of a file it
// finds out itself.
type Transfer interface {
	// Describe tells what the method is, always the same, without I/O.
	Describe() TransferDescriptor
	// Check says whether the method works on this machine with this
	// configuration. It changes nothing, and may be called many times.
	Check(ctx context.Context, cfg schema.Values) []schema.Diagnostic
	// Run makes the files of a job. It calls result once for every file, from
	// one goroutine, as soon as the outcome is known, and progress, if not nil,
	// with the sum of bytes moved so far. An error is the job's as a whole: files
	// without a result were not made. When ctx ends, so does Run, soon, with an
	// error that wraps the context's, and nothing of it is left running. A job is
	// not repeated: what it failed at comes in a later one, in another Dir. The
	// source is never written to.
	Run(ctx context.Context, job Job, files []File, result func(FileResult), progress func(int64)) error
}
