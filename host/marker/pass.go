package marker

import (
	"time"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// MaxProblems is the most problems that one Pass lists.
const MaxProblems = 100

// Pass is what one look at the tree found.
type Pass struct {
	// Root is the root's xtime: the latest change in the whole tree.
	Root sdk.XTime
	// Beacon is the filesystem's clock, read before the first listing.
	Beacon sdk.Beacon
	// Swept says that every directory was listed. The pass was partial otherwise:
	// what it did not list is as an earlier one found it.
	Swept bool
	// Native is the root's native xtime that was read before what the marker
	// knows of the tree; zero if there is none.
	Native sdk.NativeXTime
	// NamesKnown says that Marker.Links knows the names of all files. A restart
	// forgets them until a pass that lists every directory, unless the index keeps
	// a point.
	NamesKnown bool
	// Dirs counts the directories that the pass listed.
	Dirs int64
	// Entries counts the entries of all directories of the tree, those that a
	// partial pass did not list as they were when last listed.
	Entries int64
	// Bytes is the sum of the sizes of regular files, each counted once
	// however many names it has.
	Bytes int64
	// Changed says that Root is not what it was before the pass.
	Changed bool
	// Racy says that some directories hold entries so young that they count as
	// changed once more, or were overtaken by what the pass found later: a
	// further pass is due after Beacon.Window.
	Racy bool
	// Unlisted counts the directories that could not be listed. Problems tells
	// of the first of them, at most MaxProblems.
	Unlisted int64
	Problems []Problem
	// Unseen counts the directories with entries that could not be described.
	// Every pass lists them until they can.
	Unseen int64
	// Moves are the directories that are not where they were, those of earlier
	// passes among them until Marker.Moved is called for them; sorted by From.
	Moves []Move
	Took  time.Duration
}

// Problem is a directory that could not be listed.
type Problem struct {
	Path sdk.Path
	Err  *sdk.Error
}

// Move is a directory that has another parent or another name than where it was
// last known to be on the secondary. Directories below it that keep their place
// in it are not moves of their own.
//
// All From of one Pass are paths of the layout before any of the moves, and all
// To of the layout after all of them. So moves may swap or pass on a name, end
// below another one's To, begin below another one's From, and even have
// From equal to To, when the directories above changed instead. Taking every
// directory out of its place first (deepest From first) and putting it into its
// new one then (shortest To first) is right for all of them.
//
// A Move is a hint. The place From may hold another directory by now, or
// nothing, and the directories above To may not exist on the secondary yet.
type Move struct {
	ID   sdk.FileID
	From sdk.Path
	To   sdk.Path
}
