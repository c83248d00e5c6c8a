package drivertest

import (
	"slices"
	"testing"

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
	Launch func(t *testing.T) sdk.Driver
	// NewTree makes an empty tree, to be removed at the test's end. Trees of one
	// test lie on the same filesystem.
	NewTree func(t *testing.T) Tree
	// Remote says that the trees are reached through a network: Check does not go
	// there, and so cannot know what is missing.
	Remote bool
	// Mounted says that each tree is a filesystem of its own, mounted at Dir: its
	// root cannot be removed, moved or made, and no path in it is longer than what
	// one system call can name.
	Mounted bool
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

// Run runs the suite.
func Run(t *testing.T, cfg Config) {
	if cfg.New != nil {
		t.Run("inprocess", func(t *testing.T) { runAll(t, cfg, cfg.New()) })
	}
	if cfg.Launch != nil {
		t.Run("process", func(t *testing.T) { runAll(t, cfg, cfg.Launch(t)) })
	}
}

func runAll(t *testing.T, cfg Config, d sdk.Driver) {
	tests := []struct {
		name string
		run  func(*testing.T, *suite)
	}{
		{"Describe", testDescribe},
		{"Check", testCheck},
		{"ScanOrder", testScanOrder},
		{"ScanErrors", testScanErrors},
		{"ScanNames", testScanNames},
		{"ScanTypes", testScanTypes},
		{"ScanLarge", testScanLarge},
		{"ScanSinkError", testScanSinkError},
		{"DeepTree", testDeepTree},
		{"Stat", testStat},
		{"Operations", testOperations},
		{"Replace", testReplace},
		{"TypeChanges", testTypeChanges},
		{"Rename", testRename},
		{"RemoveTree", testRemoveTree},
		{"BadOperations", testBadOperations},
		{"Links", testLinks},
		{"Escape", testEscape},
		{"EscapeWhileSwapped", testEscapeWhileSwapped},
		{"Marks", testMarks},
		{"Meta", testMeta},
		{"MetaXattrs", testMetaXattrs},
		{"DeniedDirectories", testDeniedDirectories},
		{"Read", testRead},
		{"ReadErrors", testReadErrors},
		{"ReadTorn", testReadTorn},
		{"Write", testWrite},
		{"WriteUnended", testWriteUnended},
		{"WriteErrors", testWriteErrors},
		{"Sync", testSync},
		{"Synced", testSynced},
		{"Beacon", testBeacon},
		{"Cancel", testCancel},
		{"CancelWrite", testCancelWrite},
		{"Concurrent", testConcurrent},
		{"Identity", testIdentity},
		{"Busy", testBusy},
		{"MakesRoot", testMakesRoot},
		{"Close", testClose},
		{"SourceWritesNothing", testSourceWritesNothing},
	}
	left := len(cfg.Only)
	for _, test := range tests {
		if cfg.Only != nil && !slices.Contains(cfg.Only, test.name) {
			continue
		}
		left--
		t.Run(test.name, func(t *testing.T) { test.run(t, &suite{cfg: cfg, driver: d}) })
	}
	if left > 0 {
		t.Errorf("Only names %d tests that there are not, or twice: %q", left, cfg.Only)
	}
}

// suite is what the tests of one driver share.
type suite struct {
	cfg    Config
	driver sdk.Driver
}

// many is a number of entries, less on a slow storage.
func (s *suite) many(n int) int { return max(n/max(s.cfg.Scale, 1), 10) }

func (s *suite) request(t *testing.T, tree Tree, role sdk.Role) sdk.OpenRequest {
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
func (s *suite) source(t *testing.T, fill func(dir string)) (sdk.Source, Tree) {
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
func (s *suite) target(t *testing.T, fill func(dir string)) (sdk.Target, Tree) {
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

func (s *suite) needs(t *testing.T, role sdk.Role) {
	t.Helper()
	for _, r := range s.driver.Describe().Roles {
		if r == role {
			return
		}
	}
	t.Skipf("the driver does not play the %s side", role)
}

// can reports whether a resource has a feature, and logs it if not.
func can(t *testing.T, r sdk.Resource, f sdk.Features, what string) bool {
	t.Helper()
	if r.Info().Features&f == f {
		return true
	}
	t.Logf("left out: the resource has no %s", what)
	return false
}
