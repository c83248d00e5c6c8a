package resurl

import "fmt"

// ParseError says what is wrong with a URL, and where.
type ParseError struct {
	URL        string // as given
	Start, End int    // the bad part of URL, in bytes; equal where something is missing
	Summary    string // one line, without the URL
	Hint       string // the cure; may be empty
}

// Error renders all but the hint.
func (e *ParseError) Error() string {
	return fmt.Sprintf("parse URL %q, byte %d: %s", e.URL, e.Start+1, e.Summary)
}
