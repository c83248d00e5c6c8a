package sdk

import (
	"context"
	"time"

	"github.com/gsyncd/gsyncd-host/sdk/schema"
)

// Address is where a resource is: a URL's scheme and what follows "scheme://",
// in canonical form. The driver of the scheme understands Rest.
type Address struct {
	Scheme string
	Rest   string
}

// String gives the URL.
func (a Address) String() string { return a.Scheme + "://" + a.Rest }

// Role is the side of a mirror that a resource plays.
type Role uint8

// The two sides.
const (
	Primary Role = iota + 1
	Secondary
)

// String gives "primary" or "secondary".
func (r Role) String() string {
	switch r {
	case Primary:
		return "primary"
	case Secondary:
		return "secondary"
	}
	return "no side"
}

// Descriptor tells what a driver is, without I/O.
type Descriptor struct {
	Name    string   // as in the label of its plugin block
	Version string   // of the plugin, for people
	Schemes []string // URL schemes it opens; its name is one
	Roles   []Role   // sides it can play
	// Native says that its sources may have HasNative. Such a primary is opened
	// before the secondary, which is told the primary's volume; others are opened
	// at the same time.
	Native bool
	Schema schema.Schema
}

// OpenRequest says what to open and how.
type OpenRequest struct {
	Address Address
	Role    Role
	Config  schema.Values
	// MarkKey names the mirror in the marks of a secondary, so that marks of
	// different mirrors do not mix: up to 32 of [a-z0-9].
	MarkKey string
	// Volume is the primary's [Info.Volume], told to a secondary: a target with
	// HasNative keeps the primary's native xtimes under that name.
	Volume UUID
}

// Driver opens resources. Its methods may be called concurrently.
type Driver interface {
	Describe() Descriptor
	// Check looks at a request before anything is started: whether the address
	// can be used in that role, whether the configuration makes sense here. It
	// changes nothing. Diagnostics without an attribute are about the address.
	Check(ctx context.Context, req OpenRequest) []schema.Diagnostic
	// OpenSource opens the primary side. It changes nothing there, then or later.
	OpenSource(ctx context.Context, req OpenRequest) (Source, error)
	// OpenTarget opens the secondary side. It makes the root directory if only
	// that is missing, and holds the resource against a second OpenTarget,
	// which fails with KindBusy, until Close or the end of the process.
	OpenTarget(ctx context.Context, req OpenRequest) (Target, error)
}

// Identity tells one tree from another.
type Identity struct {
	// Filesystem names the filesystem for good: its UUID or id, with its type.
	Filesystem string
	Root       FileID
}

// Features is what a resource can do or keep, found by probing when it is opened.
type Features uint32

// The features. A target that lacks one is not asked for it, and the host does
// not hold the difference against it.
const (
	CanOwner        Features = 1 << iota // any owner and group
	CanDevices                           // character and block devices
	CanXattrs                            // extended attributes, user.*
	CanTrusted                           // trusted.* and security.* attributes
	CanACL                               // POSIX ACLs
	CanHardlinks                         // hard links
	CanMarks                             // marks on directories
	CanSpecial                           // fifos and sockets
	FineMtime                            // modification times to the nanosecond
	KeepsEntries                         // lets no entry be removed or moved but the program's own; the host does not try
	HasNative                            // a source tells native xtimes, a target keeps those of OpenRequest.Volume
	KeepsVolumeMark                      // a target whose root carries volume marks, by which it can be a primary in turn
	SyncsInLists                         // Apply takes OpSync; a resource in another process always has it
	CrossesMounts                        // a source that goes on where another filesystem is mounted below its root
	featuresKnown   = CanOwner | CanDevices | CanXattrs | CanTrusted | CanACL | CanHardlinks | CanMarks | CanSpecial | FineMtime | KeepsEntries | HasNative | KeepsVolumeMark | SyncsInLists | CrossesMounts
)

// Known drops the bits that this version does not know.
func (f Features) Known() Features { return f & featuresKnown }

// Endpoint says how a transfer method can reach the tree without the driver.
// With an empty Path it cannot: data goes through Read and Write.
type Endpoint struct {
	Path string // absolute path of the root where it is reached
	// Shell is a remote-shell command that reaches it; empty: this machine. With
	// a host's name, which it may leave unread, and a command behind it, it runs
	// that command in the tree's root. It need not run others than rsync --server
	// into a job's directory.
	Shell []string
}

// What begins a line on the standard error of an [Endpoint.Shell] when it did not
// run a command to its end; the reason follows on the line.
const (
	ShellRefuses = "gsyncd-host: not to be had: "       // it cannot, now or later
	ShellLost    = "gsyncd-host: connection was lost: " // it may next time
)

// Local reports whether the tree is a directory of this machine.
func (e Endpoint) Local() bool { return e.Path != "" && len(e.Shell) == 0 }

// Info is what does not change while a resource is open.
type Info struct {
	Features Features
	Endpoint Endpoint
	// Volume is the one whose native xtimes a source with HasNative tells.
	Volume UUID
}

// ScanRequest asks for the entries of many directories.
type ScanRequest struct {
	Dirs   []Path
	Fields Fields
}

// MaxBatch is the most directories, paths, operations or rows in one message.
const MaxBatch = 1000

// MaxChunk is the most bytes of file data in one message.
const MaxChunk = 1 << 20

// ScanSink takes a scan's rows. An error from it ends the scan with that error.
// The entry passed belongs to the sink only during the call.
type ScanSink interface {
	// BeginDir opens the request's directory i; self is its own entry.
	BeginDir(i int, self *Entry) error
	// Entry is one entry of the open directory. They come sorted by the bytes
	// of their names, "." and ".." left out.
	Entry(e *Entry) error
	// EndDir closes directory i. With an error its listing is incomplete;
	// BeginDir was then not called if not even the directory could be opened.
	EndDir(i int, err *Error) error
}

// Resource is an open tree. All methods may be called concurrently. A call
// whose context ends returns soon, with an error that wraps the context's. After
// an error of KindGone only Close is of use.
type Resource interface {
	// Info returns what was found when the resource was opened.
	Info() Info
	// Identity looks at the root anew, by its name: what is mounted or put there
	// now. KindChanged if that is no longer what was opened.
	Identity(ctx context.Context) (Identity, error)
	// Scan lists directories in the order of the request. A directory that
	// cannot be listed ends with an error of its own; the scan goes on.
	Scan(ctx context.Context, req ScanRequest, sink ScanSink) error
	// Stat describes single entries; the answer has one element a path, and the
	// Name in it is the path's last component. What cannot be described is of
	// TypeUnknown with its Err.
	Stat(ctx context.Context, paths []Path, fields Fields) ([]Entry, error)
	// Close ends all use. It may be called twice.
	Close() error
}

// Beacon is a reading of the clock by which a filesystem stamps changes.
type Beacon struct {
	// Now is a change time that the filesystem gave out during the call: every
	// change made before the call has a Ctime not after it.
	Now Time
	// Window is how long before Now a Ctime may lie and yet be given out again,
	// to a change that is still to come.
	Window time.Duration
	// Index is what the native xtimes of a source with HasNative belong to, as of
	// now. Its Volume is that of Info for as long as the resource is open.
	Index VolumeMark
}

// Source is the primary side.
type Source interface {
	Resource
	// Beacon reads the filesystem's clock.
	Beacon(ctx context.Context) (Beacon, error)
	// Read sends the data of regular files, in the order asked for.
	Read(ctx context.Context, paths []Path, sink ReadSink) error
}

// ReadSink takes what Read sends. An error from it ends the Read.
type ReadSink interface {
	// BeginFile opens file i, described as it is before its first byte is read.
	BeginFile(i int, before *Entry) error
	// Data is a part of the open file's data, at most MaxChunk bytes, offsets
	// ascending; what no part covers is a hole. p is valid during the call.
	Data(off int64, p []byte) error
	// EndFile closes file i. after describes the file once all of it was read:
	// if it is not as before, what was sent may be torn. err says that the file
	// could not be read; BeginFile was then perhaps not called.
	EndFile(i int, after *Entry, err *Error) error
}

// Target is the secondary side.
type Target interface {
	Resource
	// Apply does operations in order and returns one result each. An operation
	// that fails does not stop the next.
	Apply(ctx context.Context, ops []Op) ([]OpResult, error)
	// Write opens a stream that makes files. The Writer is for one goroutine.
	Write(ctx context.Context) (Writer, error)
	// Sync makes durable all that was done before, entries and data.
	Sync(ctx context.Context) error
}

// NewFile begins a file of a Write stream. Path must not exist. Meta is set
// once the data is complete; the data's end is Size.
type NewFile struct {
	Path Path
	Size int64
	Meta Meta
}

// Writer makes files: Begin, any number of Data, End, then the next. An error
// from a method is the stream's and final; a single file's failure is its
// result, and whatever is left of that file is removed.
type Writer interface {
	Begin(f NewFile) error
	// Data writes p at off of the open file; what is not written is a hole.
	Data(off int64, p []byte) error
	// End closes the open file. With keep false it is removed instead.
	End(keep bool) error
	// Close ends the stream and returns one result a file begun.
	Close() ([]OpResult, error)
}
