package diag

import (
	"cmp"
	"reflect"
	"slices"

	"github.com/hashicorp/hcl/v2"
)

// List is any number of diagnostics. It is not an error by itself: see HasErrors.
type List []Diagnostic

// FromHCLDiagnostics converts those of the HCL library.
func FromHCLDiagnostics(ds hcl.Diagnostics) List {
	var out List
	for _, d := range ds {
		out = append(out, FromHCLDiagnostic(d))
	}
	return out
}

// Add appends diagnostics.
func (l *List) Add(ds ...Diagnostic) { *l = append(*l, ds...) }

// HasErrors reports whether there is one that is not a warning.
func (l List) HasErrors() bool {
	return slices.ContainsFunc(l, func(d Diagnostic) bool { return d.Severity == Error })
}

// Sort orders the list by place, in place, and returns it without repetitions.
func (l List) Sort() List {
	slices.SortStableFunc(l, func(a, b Diagnostic) int {
		return cmp.Or(
			cmp.Compare(a.Subject.File, b.Subject.File),
			cmp.Compare(a.Subject.Start.Byte, b.Subject.Start.Byte),
			cmp.Compare(a.Severity, b.Severity),
			cmp.Compare(a.Summary, b.Summary),
		)
	})
	return slices.CompactFunc(l, func(a, b Diagnostic) bool { return reflect.DeepEqual(a, b) })
}
