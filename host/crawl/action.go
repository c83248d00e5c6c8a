package crawl

import (
	"fmt"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// Kind says what an action is.
type Kind uint8

// The actions on one name of a directory.
const (
	Nothing  Kind = iota
	Make          // make the symlink or special file P
	MakeDir       // make directory P, then enter it
	Enter         // directory P exists on both sides; S carries its mark
	Send          // bring the data of file P
	Link          // P is a further name of the file whose first name is Leader
	Meta          // set the attributes in Mask
	Delete        // remove S
	Leftover      // remove S, a name of our own from an earlier run
	Skip          // P cannot be kept on this target
	Fail          // P cannot be read: Err
)

var kindNames = [...]string{"nothing", "make", "mkdir", "enter", "send", "link", "meta", "delete", "leftover", "skip", "fail"}

// String gives the action's name.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("kind(%d)", uint8(k))
}

// Action is what is to be done about one name.
type Action struct {
	Kind Kind
	P    *sdk.Entry // the primary's entry, nil for Delete and Leftover
	S    *sdk.Entry // the secondary's, nil if there is none

	// InTheWay: S is a directory where P is none, or the reverse, and has to be
	// removed first.
	InTheWay bool
	Compare  bool         // Send: the two look the same; needed only if the data differs
	Leader   sdk.Path     // Link
	Mask     sdk.MetaMask // Meta
}

// Name is the name that the action is about.
func (a *Action) Name() string {
	if a.P != nil {
		return a.P.Name
	}
	return a.S.Name
}
