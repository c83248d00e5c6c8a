package watch

import (
	"golang.org/x/sys/unix"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// ear is a queue of events. hear and span are called by one goroutine at a time;
// watch, if there is one, by another.
type ear interface {
	// fd is what becomes readable.
	fd() int
	// span has it hear of what happens in other places of the tree than its root's
	// filesystem: in all of those that each visits, and in no others. It is called
	// before the first look if the tree goes on in what is mounted there, and whenever
	// that may have changed.
	// news says that something may not have been heard of, so that a look at
	// everything is due. An error says that the ear cannot go on, but for errMoved: then
	// it hears of what it did, and perhaps of more, until it is called once more.
	span(each visits) (news bool, err error)
	// hear reads what is in the queue, or as much of that as it holds by default if
	// more and more comes, and tells of each directory in which
	// something happened, perhaps more than once; tell reports whether the index
	// has it. lost says that events are missing. After an error the ear is of no
	// use.
	hear(tell func(sdk.FileID) bool) (lost bool, err error)
	// watch is called before directories are listed. An error says that the ear
	// cannot go on; those that it returns are to be listed once more.
	watch(ids []sdk.FileID, paths []sdk.Path) (again []sdk.FileID, err error)
	// ended is called when a pass has ended, in which watch was called if anything
	// was listed. It tells of what the index could not lead to meanwhile.
	ended(tell func(sdk.FileID) bool)
	close()
}

// silence is where there are no events.
type silence struct{}

var _ ear = silence{}

func (silence) fd() int { return -1 } // which a poll leaves out

func (silence) hear(func(sdk.FileID) bool) (bool, error) { return false, nil }

func (silence) watch([]sdk.FileID, []sdk.Path) ([]sdk.FileID, error) { return nil, nil }

func (silence) span(each visits) (bool, error) { return false, each.open() }

func (silence) ended(func(sdk.FileID) bool) {}

func (silence) close() {}

const (
	// eventBuffer is the room for events that are read at once.
	eventBuffer = 64 << 10
	// maxBuffers bounds how often that is filled before others have their turn: about
	// what 16,384 events take, the most that the kernel keeps by default.
	maxBuffers = 32
)

// readEvents reads from a queue until it is empty, or events have filled so many
// buffers. What is left makes the queue readable again.
func readEvents(fd int, buf []byte, take func([]byte) error) error {
	for full := 0; full < maxBuffers; {
		n, err := unix.Read(fd, buf)
		switch {
		case err == unix.EINTR:
			continue
		case err == unix.EAGAIN:
			return nil
		case err != nil:
			return err
		}
		if err := take(buf[:n]); err != nil {
			return err
		}
		if n < len(buf)/2 {
			return nil
		}
		full++
	}
	return nil
}
