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
}

// Detector is a source of hints: a timer, or the filesystem's events.
type Detector interface {
	// Next waits until a look is due. What happened before it is called and was
	// not hinted at yet is part of the hint. It ends with the context, whose
	// error it then returns. It is called by one goroutine at a time.
	Next(ctx context.Context) (Hint, error)
}
