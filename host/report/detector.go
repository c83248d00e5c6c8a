package report

import "slices"

// NativeDetector is the kind of a primary that keeps xtimes itself.
const NativeDetector = "native"

// Detector says by what changes of the primary are noticed.
type Detector struct {
	Kind string `json:"kind"`
	// Refused are the better kinds that are not to be had, and why.
	Refused []Refusal `json:"refused,omitempty"`
}

// Refusal is a kind of detector that is not to be had.
type Refusal struct {
	Kind   string `json:"kind"`
	Reason string `json:"reason"`
}

// IsZero reports whether none was chosen.
func (d Detector) IsZero() bool { return d.Kind == "" }

// Equal reports whether two are the same, for the same reasons.
func (d Detector) Equal(o Detector) bool {
	return d.Kind == o.Kind && slices.Equal(d.Refused, o.Refused)
}
