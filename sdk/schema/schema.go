package schema

import "time"

// Type is the type of an attribute's value.
type Type uint8

// The types. In a configuration file all but Bool and Count are strings with a
// unit ("5m", "64MiB", "20MiB/s", "2%").
const (
	String   Type = iota + 1
	Bool          // true or false
	Count         // a plain whole number, not negative
	Duration      // "1h30m"; a time.Duration
	Size          // "64MiB", "10GB"; bytes as int64
	Rate          // "20MiB/s"; bytes per second as int64
	Share         // "2%"; a fraction of one as float64
	Strings       // a list of strings
)

var typeNames = [...]string{"", "a string", "true or false", "a whole number", `a duration such as "5m"`, `a size such as "64MiB"`, `a rate such as "20MiB/s"`, `a share such as "2%"`, "a list of strings"}

// String says what a value of the type looks like.
func (t Type) String() string {
	if int(t) < len(typeNames) {
		return typeNames[t]
	}
	return "a value of an unknown type"
}

// Attribute is one setting.
type Attribute struct {
	Name     string
	Type     Type
	Required bool
	Default  any      // of the type's Go type, or nil
	OneOf    []string // the values a String may have, if limited
	Secret   bool     // the value is not shown in messages
	Doc      string   // one sentence
}

// Schema is the list of a plugin's settings.
type Schema []Attribute

// Attribute returns the attribute called name, or nil.
func (s Schema) Attribute(name string) *Attribute {
	for i := range s {
		if s[i].Name == name {
			return &s[i]
		}
	}
	return nil
}

// Values holds settings by name, defaults filled in. The Go types are string,
// bool, int64, time.Duration, float64 and []string.
type Values map[string]any

// String returns the string called name, or "".
func (v Values) String(name string) string { s, _ := v[name].(string); return s }

// Bool returns the bool called name, or false.
func (v Values) Bool(name string) bool { b, _ := v[name].(bool); return b }

// Int returns the count, size or rate called name, or 0.
func (v Values) Int(name string) int64 { n, _ := v[name].(int64); return n }

// Duration returns the duration called name, or 0.
func (v Values) Duration(name string) time.Duration { d, _ := v[name].(time.Duration); return d }

// Share returns the share called name, or 0.
func (v Values) Share(name string) float64 { f, _ := v[name].(float64); return f }

// Strings returns the list called name, or nil.
func (v Values) Strings(name string) []string { l, _ := v[name].([]string); return l }

// Diagnostic is a plugin's complaint about its configuration or its address.
type Diagnostic struct {
	Warning   bool   // else an error
	Attribute string // the attribute it is about; empty: the address, or the block as a whole
	Summary   string // what is wrong, one line
	Detail    string // the cure, if one is known
	// Ask is set where a person could give the value that the attribute lacks, and
	// is what to ask for: "passphrase for /home/anna/.ssh/id_ed25519". The host
	// asks if somebody is there, and checks again with the answer, which may be
	// wrong.
	Ask string
}
