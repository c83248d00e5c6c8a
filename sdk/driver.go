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

// Driver opens resources. Its methods may be called concurrently, and in any
// order.
//
// The host guarantees that the scheme of a request is one of the Descriptor's, its
// role one of the roles, and its Config what the schema says, defaults filled in.
// It does not guarantee that Check was called in the same process, or that what
// Check saw is still so. The context of a call is that call's alone: what it opens
// lives on when it ends.
type Driver interface {
	// Describe tells what the driver is, always the same. It does no I/O: the host
	// calls it in processes that open nothing.
	Describe() Descriptor
	// Check looks at a request before anything is started: whether the address
	// can be used in that role, whether the configuration makes sense here. It
	// changes nothing. Diagnostics without an attribute are about the address.
	// It may be called many times, with other settings each time. That it cannot
	// tell, for want of a network say, is no complaint: opening will say it.
	Check(ctx context.Context, req OpenRequest) []schema.Diagnostic
	// OpenSource opens the primary side. It changes nothing there, then or later.
	// It may be called again while an earlier source is open, and gives one that
	// owes nothing to the other. A root that does not exist is KindNotExist. After
	// an error there is nothing to close; the host tries again after a while.
	OpenSource(ctx context.Context, req OpenRequest) (Source, error)
	// OpenTarget opens the secondary side. It makes the root directory if only
	// that is missing, and holds the resource against a second OpenTarget,
	// which fails with KindBusy, until Close or the end of the process. It removes
	// nothing: what an earlier one left half done is the host's to find.
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
	OneInstance                          // a source whose answers hang on what it saw before: a guest has it open once, for all calls
	SyncsFiles                           // Sync does not reach data: OpRename makes that of the program's own files durable first, unless it is Synced
	CrossesMounts                        // a source that goes on where another filesystem is mounted below its root
	StillBeacon                          // a source whose Beacon touches nothing that raises an event of the tree: without it the host does not go by events
	featuresKnown   = CanOwner | CanDevices | CanXattrs | CanTrusted | CanACL | CanHardlinks | CanMarks | CanSpecial | FineMtime | KeepsEntries | HasNative | KeepsVolumeMark | SyncsInLists | OneInstance | SyncsFiles | CrossesMounts | StillBeacon
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

// ScanSink takes a scan's rows. An error from it ends the scan with that error:
// no further method is called. Its methods are called one at a time, while Scan
// runs. The entry passed belongs to the sink only during the call. A sink that is
// slow makes the scan wait: a driver need not hold rows back.
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
//
// The methods of a Resource change nothing, so they can be repeated. Paths are
// valid as [Path.Validate] says where a host is at the other end; a driver that is
// called directly refuses others with KindInput, for the call or the path. A
// request may be empty, may name a path twice, and may have any number of paths:
// from another process they come MaxBatch at a time.
type Resource interface {
	// Info returns what was found when the resource was opened, always the same.
	Info() Info
	// Identity looks at the root anew, by its name: what is mounted or put there
	// now. KindChanged if that is no longer what was opened, KindNotExist if
	// nothing is there. The same tree has the same identity for good, whichever
	// process opens it: the host removes nothing from a mirror whose side has
	// another one than before.
	Identity(ctx context.Context) (Identity, error)
	// Scan lists directories in the order of the request. A directory that
	// cannot be listed ends with an error of its own, and the scan goes on:
	// KindNotExist if it is not there, KindChanged if it is no directory. So does
	// one whose listing broke off: the host takes a listing without an error for
	// all there is, and removes what it does not name. An error of Scan itself is
	// the sink's, the context's, or that the resource is no longer of use.
	Scan(ctx context.Context, req ScanRequest, sink ScanSink) error
	// Stat describes single entries; the answer has one element a path, and the
	// Name in it is the path's last component. What cannot be described is of
	// TypeUnknown with its Err, of KindNotExist if there is no such entry. The
	// rest is as Scan has it. An error of Stat itself leaves no answers.
	Stat(ctx context.Context, paths []Path, fields Fields) ([]Entry, error)
	// Close ends all use: calls under way end soon, later ones fail with KindGone.
	// It may be called twice, and at any time.
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

// Source is the primary side. Nothing that is done with it changes the tree.
type Source interface {
	Resource
	// Beacon reads the filesystem's clock, which does not go back. Where the tree
	// never changes, any clock will do.
	Beacon(ctx context.Context) (Beacon, error)
	// Read sends the data of regular files, in the order asked for. A file that
	// cannot be read ends with an error of its own, and the rest is sent:
	// KindNotExist if it is not there, KindChanged if it is no regular file. A
	// file that changes while it is read is no error: before and after tell, and
	// the host asks for it again. Files may be asked for twice, and again at any
	// time. An error of Read itself is as one of Scan.
	Read(ctx context.Context, paths []Path, sink ReadSink) error
}

// ReadSink takes what Read sends. An error from it ends the Read with that error.
// Its methods are called one at a time, while Read runs.
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

// Target is the secondary side. The host asks for nothing that the Features do not
// have, makes a directory before what is in it, and sets a mark only after a Sync.
type Target interface {
	Resource
	// Apply does operations in order and returns one result each. An operation
	// that fails does not stop the next. With an error of Apply itself any part of
	// the list may have been done: the host looks again, and repeats what it still wants, so an
	// operation that finds its work done is no failure (see [OpKind]).
	Apply(ctx context.Context, ops []Op) ([]OpResult, error)
	// Write opens a stream that makes files. The Writer is for one goroutine;
	// several may be open. When ctx ends, so does the stream, and files that were
	// not ended are removed.
	Write(ctx context.Context) (Writer, error)
	// Sync makes durable all that was done before, entries and data: once it has
	// returned without an error, a power cut takes nothing of that away. Without
	// that promise marks would lie. It may be called at any time, and twice.
	Sync(ctx context.Context) error
}

// NewFile begins a file of a Write stream. Path must not exist. Meta is set
// once the data is complete; the data's end is Size.
type NewFile struct {
	Path Path
	Size int64
	Meta Meta
}

// Writer makes files: Begin, any number of Data, End, then the next. It is for one
// goroutine. An error from a method is the stream's and final, and what is not
// ended is removed; a single file's failure is its result, and whatever is left of
// that file is removed. The host begins files in directories that exist, under
// names that are its own, and renames them into place when they are synced.
type Writer interface {
	// Begin opens a file. That it cannot be made is its result, and what is written
	// to it until its End goes nowhere. All of f may be kept until its End, and is
	// not changed: a caller that uses memory again gives a copy of its attributes.
	Begin(f NewFile) error
	// Data writes p at off of the open file; what is not written is a hole. Offsets
	// ascend; p has at most MaxChunk bytes, and is the caller's again afterwards.
	Data(off int64, p []byte) error
	// End closes the open file. With keep false it is removed instead.
	End(keep bool) error
	// Close ends the stream and returns one result a file begun, in their order. It
	// is called once, also after an error, and then returns that.
	Close() ([]OpResult, error)
}
