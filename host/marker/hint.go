package marker

import (
	"context"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// Hint says where a look is due. It never says what changed: digests decide
// that, so a hint too many costs a look and nothing else.
type Hint struct {
	// All says that nothing is known, or events were lost. Every directory is
	// looked at then, but where native xtimes tell that it need not be.
	All bool
	// Sweep asks for a look at every directory, whatever native xtimes tell.
	Sweep bool
	// Dirs are the directories to look at, by identity, and without All and Sweep
	// those alone. One that the index does not have is left out: whoever tells of
	// changes in a new directory tells of the one that it was made in as well. Of a
	// file with several names, the directory through which it was changed will do.
	Dirs []sdk.FileID
	// Since says that Dirs tell of all that changed after a point, whoever looked
	// before: of every directory that is another now, of those that hold any name of
	// a file that is, and of those where something was mounted or unmounted.
	// If it is the point that the index keeps, see [Marker.Point], these and what the
	// index knows to be in doubt will do for a first pass; otherwise it is as All.
	// Sources with native xtimes have no use for points.
	Since Point
	// Until is a point before which nothing happened that this hint, or one before it,
	// does not tell of, be it that All does; what no event tells of counts as well.
	// It was taken after the pass before ended, or was told by a hint
	// before, and what happened before it outlasts a power cut. The index keeps it
	// once a pass leaves nothing open.
	Until Point
}

// Detector is a source of hints: a timer, or the filesystem's events.
type Detector interface {
	// Next waits until a look is due. What happened before it is called and was
	// not hinted at yet is part of the hint. It ends with the context, whose
	// error it then returns. It is called by one goroutine at a time.
	Next(ctx context.Context) (Hint, error)
}
