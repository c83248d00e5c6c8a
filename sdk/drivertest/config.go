package drivertest

import (
	"sync"
	"time"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/schema"
)

// Tree is a resource for a test.
type Tree struct {
	Address sdk.Address
	// Dir is the root's directory on this machine, by which the test makes and
	// looks at what is in the tree.
	Dir string
}

// Config says what is to be proved.
type Config struct {
	// New makes the driver in this process. Nil leaves that part out.
	New func() sdk.Driver
	// Launch starts the driver as a process, to be ended at the test's end. Nil
	// leaves that part out.
	Launch func(t T) sdk.Driver
	// LaunchToKill does the same and also gives what kills the process at once, for
	// the check that does it in the middle of calls. Nil leaves that check out.
	LaunchToKill func(t T) (d sdk.Driver, kill func())

	// One of the next three says where resources come from.

	// NewTree makes an empty tree, to be removed at the test's end. Trees of one
	// test lie on the same filesystem. All checks are then made.
	NewTree func(t T) Tree
	// Build makes a resource of what is in a directory, and gives its address: an
	// archive, a server. It is called once for a driver and gets the driver's whole
	// test. The checks are then those of a source that nobody changes.
	Build func(t T, dir string) sdk.Address
	// Lacks says what resources made by Build cannot hold.
	Lacks Lacks
	// Existing is a resource that is there already. It is read and not changed;
	// what it should hold is not known, so the checks hold its answers against each
	// other.
	Existing sdk.Address

	// Remote says that the trees are reached through a network: Check does not go
	// there, and so cannot know what is missing.
	Remote bool
	// Mounted says that each tree is a filesystem of its own, mounted at Dir: its
	// root cannot be removed, moved or made, and no path in it is longer than what
	// one system call can name.
	Mounted bool
	// OwnStamps is the beginning of names of attributes that the storage's server
	// may leave by itself on what a link leads to, if it is reached on this
	// machine: Gluster's bricks do, where a directory is exchanged for a link while
	// they work in it. Nothing else may change there. Empty: nothing at all may.
	OwnStamps string
	// Keeps are names in the root by which a target that is open keeps what is
	// nobody's business.
	Keeps []string
	// From1970 says that earlier modification times are lost.
	From1970 bool
	// NoCapabilities says that what changes a file drops its security.capability.
	NoCapabilities bool
	// Scale divides the number of entries of large trees, for storages that take
	// milliseconds for each; 0 is 1.
	Scale int
	// Only names the tests to run, for one more kind of a storage that has had them
	// all; nil means all.
	Only []string
	// Values is the driver's configuration; defaults are filled in.
	Values schema.Values
}

// Lacks says what a kind of resource cannot hold. The zero value is for one that
// holds all that the checks look at.
type Lacks struct {
	Symlinks  bool
	EmptyDirs bool
	Perms     bool
	OddNames  bool          // names that are no UTF-8, or hold control characters
	Mtime     time.Duration // how coarse modification times are; negative: there are none
}

// suite is what the tests of one driver share.
type suite struct {
	cfg    Config
	driver sdk.Driver
	whole  T // the test of the whole driver; what it cleans up goes last

	making sync.Mutex
	made   *sample
}

// many is a number of entries, less on a slow storage.
func (s *suite) many(n int) int { return max(n/max(s.cfg.Scale, 1), 10) }

func (s *suite) request(t T, tree Tree, role sdk.Role) sdk.OpenRequest {
	t.Helper()
	values, err := s.driver.Describe().Schema.WithDefaults(s.cfg.Values)
	if err != nil {
		t.Fatalf("configuration: %v", err)
	}
	req := sdk.OpenRequest{Address: tree.Address, Role: role, Config: values}
	if role == sdk.Secondary {
		req.MarkKey = "suite1"
	}
	return req
}

// source makes a tree with what fill puts there and opens it as a primary.
func (s *suite) source(t T, fill func(dir string)) (sdk.Source, Tree) {
	t.Helper()
	s.needs(t, sdk.Primary)
	tree := s.cfg.NewTree(t)
	if fill != nil {
		fill(tree.Dir)
	}
	src, err := s.driver.OpenSource(t.Context(), s.request(t, tree, sdk.Primary))
	if err != nil {
		t.Fatalf("open source: %v", err)
	}
	t.Cleanup(func() { src.Close() })
	return src, tree
}

// target makes a tree and opens it as a secondary.
func (s *suite) target(t T, fill func(dir string)) (sdk.Target, Tree) {
	t.Helper()
	s.needs(t, sdk.Secondary)
	tree := s.cfg.NewTree(t)
	if fill != nil {
		fill(tree.Dir)
	}
	dst, err := s.driver.OpenTarget(t.Context(), s.request(t, tree, sdk.Secondary))
	if err != nil {
		t.Fatalf("open target: %v", err)
	}
	t.Cleanup(func() { dst.Close() })
	return dst, tree
}

func (s *suite) needs(t T, role sdk.Role) {
	t.Helper()
	for _, r := range s.driver.Describe().Roles {
		if r == role {
			return
		}
	}
	t.Skipf("the driver does not play the %s side", role)
}

// can reports whether a resource has a feature, and logs it if not.
func can(t T, r sdk.Resource, f sdk.Features, what string) bool {
	t.Helper()
	if r.Info().Features&f == f {
		return true
	}
	t.Logf("left out: the resource has no %s", what)
	return false
}
