package drivertest

import "github.com/gsyncd/gsyncd-host/sdk"

// check is one thing to be proved.
type check struct {
	name string
	doc  string // what is proved, for people
	run  func(T, *suite)
}

// directoryChecks are for resources that are also a directory of this machine.
var directoryChecks = []check{
	{"Check", "accepts a good address, complains of a missing one, makes nothing", testCheck},
	{"ScanOrder", "lists directories in the order asked for, names sorted", testScanOrder},
	{"ScanErrors", "gives a directory that cannot be listed an error of its own", testScanErrors},
	{"ScanNames", "keeps every name, whatever its bytes", testScanNames},
	{"ScanTypes", "tells all types of entries, with all their attributes", testScanTypes},
	{"ScanLarge", "lists large directories, and many", testScanLarge},
	{"ScanSinkError", "ends a scan with the host's error", testScanSinkError},
	{"DeepTree", "reaches what is deeper than a system call can name", testDeepTree},
	{"Stat", "describes single entries as a scan does", testStat},
	{"Operations", "makes directories, links and special files", testOperations},
	{"Replace", "replaces what is in the way", testReplace},
	{"TypeChanges", "replaces one type by another", testTypeChanges},
	{"Rename", "moves entries", testRename},
	{"RemoveTree", "removes trees and follows no link out of them", testRemoveTree},
	{"BadOperations", "refuses malformed operations", testBadOperations},
	{"Links", "makes hard links", testLinks},
	{"Escape", "follows no link out of the root", testEscape},
	{"EscapeWhileSwapped", "nor while directories are swapped for links", testEscapeWhileSwapped},
	{"Marks", "keeps marks, each mirror's apart", testMarks},
	{"Meta", "sets owners, modes and times", testMeta},
	{"MetaXattrs", "sets extended attributes", testMetaXattrs},
	{"DeniedDirectories", "works in directories that deny their owner", testDeniedDirectories},
	{"Read", "reads whole files, holes left out", testRead},
	{"ReadErrors", "says which files cannot be read", testReadErrors},
	{"ReadTorn", "does not pass off a changing file as whole", testReadTorn},
	{"Write", "writes files", testWrite},
	{"WriteXattrs", "sets the attributes of large files", testWriteXattrs},
	{"WriteUnended", "leaves no half files", testWriteUnended},
	{"WriteErrors", "says which files could not be written", testWriteErrors},
	{"Sync", "syncs", testSync},
	{"Synced", "puts many files into place at once", testSynced},
	{"Beacon", "reads the clock that stamps changes", testBeacon},
	{"Cancel", "ends reading soon when asked to", testCancel},
	{"CancelWrite", "ends writing soon when asked to", testCancelWrite},
	{"Concurrent", "answers several calls at a time", testConcurrent},
	{"Identity", "notices that the root was replaced", testIdentity},
	{"Busy", "holds a secondary against a second user", testBusy},
	{"MakesRoot", "makes a secondary's missing root", testMakesRoot},
	{"Close", "is gone once closed", testClose},
	{"SourceWritesNothing", "changes nothing on a primary", testSourceWritesNothing},
}

// readingChecks are for any source that nobody changes meanwhile.
var readingChecks = []check{
	{"Accepts", "accepts the address", testAccepts},
	{"WalkTwice", "lists the same tree twice, sorted, with valid names", testWalkTwice},
	{"Contents", "holds what was put there", testContents},
	{"StatAgrees", "describes entries as its listings do", testStatAgrees},
	{"DataAgrees", "sends as much data as entries are large, the same each time", testDataAgrees},
	{"Missing", "says of what is not there that it does not exist", testMissing},
	{"WrongTypes", "lists no files, reads no directories, follows no links", testWrongTypes},
	{"BadPaths", "refuses paths that lead out", testBadPaths},
	{"LargeRequests", "answers requests of thousands of paths, and of very long ones", testLargeRequests},
	{"SinkErrors", "fault: the host stops in the middle of an answer", testSinkErrors},
	{"CancelReading", "fault: the host gives up in the middle of a call", testCancelReading},
	{"ConcurrentReading", "answers eight calls at a time as it does one", testConcurrentReading},
	{"IdentityTwice", "knows its root again", testIdentityTwice},
	{"Clock", "has a clock that does not go back", testClock},
	{"CloseReading", "fault: the resource is closed in the middle of a call", testCloseReading},
	{"Killed", "fault: the process is killed in the middle of a call", testKilled},
}

// checks are those for what the configuration says.
func (c *Config) checks() []check {
	all := []check{{"Describe", "describes itself completely, twice the same", testDescribe}}
	switch {
	case c.NewTree != nil:
		all = append(append(all, directoryChecks...), readingChecks...)
	case c.Build != nil, c.Existing != sdk.Address{}:
		all = append(all, readingChecks...)
	}
	return all
}
