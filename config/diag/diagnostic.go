package diag

import (
	"unicode"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
)

// Severity says whether a diagnostic stops the work.
type Severity uint8

// The severities. The zero value is an error.
const (
	Error Severity = iota
	Warning
)

// String gives "error" or "warning".
func (s Severity) String() string {
	if s == Warning {
		return "warning"
	}
	return "error"
}

// MarshalText makes the JSON form the name.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Diagnostic is one complaint.
type Diagnostic struct {
	Severity Severity  `json:"severity"`
	Summary  string    `json:"summary"`          // one line, no full stop
	Detail   string    `json:"detail,omitempty"` // the hint: what would cure it
	Subject  Range     `json:"subject,omitzero"`
	Related  []Related `json:"related,omitempty"`
	Secret   bool      `json:"-"` // the subject's text is not shown
}

// Related is another place that a diagnostic is about.
type Related struct {
	Message string `json:"message"`
	Range   Range  `json:"range"`
}

// FromHCLDiagnostic converts one diagnostic of the HCL library. Its summary gets
// a small first letter, as ours have.
func FromHCLDiagnostic(d *hcl.Diagnostic) Diagnostic {
	first, n := utf8.DecodeRuneInString(d.Summary)
	out := Diagnostic{Summary: string(unicode.ToLower(first)) + d.Summary[n:], Detail: d.Detail}
	if d.Summary == "" {
		out.Summary = d.Detail
	}
	if d.Severity == hcl.DiagWarning {
		out.Severity = Warning
	}
	if d.Subject != nil {
		out.Subject = FromHCL(*d.Subject)
	}
	return out
}
