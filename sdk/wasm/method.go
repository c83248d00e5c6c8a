package wasm

import (
	"context"
	"encoding/binary"
	"fmt"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/wire"
)

// Method says what a call is about.
type Method uint32

// The methods. A guest answers the first three; both ends answer those on open
// things; a runner answers the rest.
const (
	Describe Method = 1 + iota
	Check
	Open
)

// The methods on open things.
const (
	Close Method = 16 + iota
	Next
	Identity
	Beacon
	Scan
	Stat
	Read
	Apply
	Write
	Put
	Finish
	Sync
)

// The methods of a runner.
const (
	Log Method = 64 + iota
	Dirs
	DirList
	DirStat
	DirOpen
	DirSource
	DirTarget
	ReadAt
	WebDo
	WebRead
)

// Names of what a module exports and imports.
const (
	ExportVersion = "gsyncd_abi_version"
	ExportAlloc   = "gsyncd_alloc"
	ExportCall    = "gsyncd_call"
	ImportModule  = "gsyncd_host_v1"
	ImportCall    = "call"
	ImportFetch   = "fetch"
	// Section is the custom section with the module's manifest.
	Section = "gsyncd.manifest"
)

const (
	// MaxMessage is the longest request or answer, in bytes: the longest row, and
	// room for what is around it.
	MaxMessage = wire.MaxRow + 1<<20
	// MaxHandles is the most things that one side may have open at the other.
	MaxHandles = 4096
)

// Caller makes calls across the border, one at a time or many.
type Caller interface {
	// Call makes a call. use gets the answer, which is valid only until it returns;
	// nil: it does not matter. An error is use's own, the other side's (an
	// [*sdk.Error]), or says that there is no answer.
	Call(ctx context.Context, m Method, request []byte, use func(answer []byte) error) error
}

// The first byte of an answer.
const (
	answerGood = iota
	answerBad
)

// AppendAnswer appends the beginning of a good answer.
func AppendAnswer(b []byte) []byte { return append(b, answerGood) }

// AppendFailure appends the whole of an answer that is an error.
func AppendFailure(b []byte, op string, err error) []byte {
	return wire.AppendError(append(b, answerBad), op, err)
}

// Answer takes an answer apart: what follows in a good one, or its error.
func Answer(b []byte) ([]byte, error) {
	if len(b) == 0 || b[0] > answerBad {
		return nil, malformed("answer", fmt.Errorf("it begins with none of the known bytes"))
	}
	if b[0] == answerGood {
		return b[1:], nil
	}
	c := wire.NewCursor(b[1:])
	fault := c.Error()
	return nil, fault
}

// MalformedError is the error of an answer that no well-behaved peer gives. What else
// such a one says is not to be trusted.
type MalformedError struct{ Fault *sdk.Error }

// Error implements error.
func (e *MalformedError) Error() string { return e.Fault.Error() }

// Unwrap gives the error that crosses borders.
func (e *MalformedError) Unwrap() error { return e.Fault }

func malformed(op string, err error) error {
	return &MalformedError{Fault: &sdk.Error{Kind: sdk.KindFatal, Op: op, Msg: "the other side's answer is malformed: " + err.Error()}}
}

func appendHandle(b []byte, h uint32) []byte { return binary.LittleEndian.AppendUint32(b, h) }
