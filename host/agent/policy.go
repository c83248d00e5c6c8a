package agent

import (
	"fmt"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// Access is what a client may do to a tree. All of them let it read.
type Access uint8

// The kinds of access, each narrower than the one before.
const (
	// FullAccess is all that a mirror does.
	FullAccess Access = iota
	// NoDelete lets no name vanish that was put in place: nothing is removed or
	// renamed but what bears a name of the program's own. A new version of a file
	// may replace an earlier one.
	NoDelete
	// AppendOnly is NoDelete, and what is not a directory stays as it is: no other
	// version, no other attributes.
	AppendOnly
	// ReadOnly changes nothing.
	ReadOnly
)

var accessFlags = [...]string{"", "no-delete", "append-only", "read-only"}

// Flag is the command line's name for a, "" for FullAccess.
func (a Access) Flag() string { return accessFlags[a] }

// Policy is what the far side holds its client to, whoever that is. The zero
// value lets it do all.
type Policy struct {
	Access Access
	// MaxBytes is how many bytes the regular files of the tree may have
	// together; 0 is no limit. A hard link counts once, a hole as if it were full.
	MaxBytes int64
}

// keeps reports whether what is in place has to stay.
func (p Policy) keeps() bool { return p.Access == NoDelete || p.Access == AppendOnly }

// staged reports whether a path is not the name of anything mirrored: some
// component of it is the program's own.
func staged(p sdk.Path) bool {
	for ; p != sdk.Root; p = p.Dir() {
		if sdk.Reserved(p.Base()) {
			return true
		}
	}
	return false
}

// refuse says that a policy forbids what was asked for.
func (p Policy) refuse(op string, path sdk.Path, what string) *sdk.Error {
	return &sdk.Error{Kind: sdk.KindPermission, Op: op, Path: path,
		Msg: fmt.Sprintf("the far side does not let this key %s (--%s)", what, p.Access.Flag())}
}
