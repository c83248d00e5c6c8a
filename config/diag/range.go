package diag

import (
	"fmt"

	"github.com/hashicorp/hcl/v2"
)

// Pos is a place in a source.
type Pos struct {
	Line   int `json:"line"`   // from 1
	Column int `json:"column"` // from 1, in characters as a reader counts them
	Byte   int `json:"byte"`   // from 0
}

// Range is a part of a source, End excluded. With Start.Line 0 the source is
// no file but one line of text, such as an argument of the command line, or
// the source as a whole is meant; bytes then count in that text.
type Range struct {
	File  string `json:"file"`
	Start Pos    `json:"start"`
	End   Pos    `json:"end"`
}

// IsZero reports a range that points nowhere.
func (r Range) IsZero() bool { return r == Range{} }

// String gives "file:line:col", or what of it is known.
func (r Range) String() string {
	if r.Start.Line == 0 {
		return r.File
	}
	return fmt.Sprintf("%s:%d:%d", r.File, r.Start.Line, r.Start.Column)
}

// FromHCL converts a range.
func FromHCL(r hcl.Range) Range {
	return Range{
		File:  r.Filename,
		Start: Pos{Line: r.Start.Line, Column: r.Start.Column, Byte: r.Start.Byte},
		End:   Pos{Line: r.End.Line, Column: r.End.Column, Byte: r.End.Byte},
	}
}
