package grant

import (
	"io"

	"github.com/gsyncd/gsyncd-host/sdk/wire"
)

// Request asks an origin for something.
type Request struct {
	Method string // "GET" or "HEAD"; "" is GET
	URL    string // absolute
	// Header holds fields beside those that are always sent: "Range",
	// "If-None-Match". What the configuration sets, and what belongs to the
	// connection, is left out.
	Header []Field
}

// Field is one field of a header: its Name, in a response in canonical form such as
// "Content-Length", and its Value.
type Field = wire.Field

// Response is an origin's answer. Body gives the bytes as they are stored: no
// compression is asked for, and none undone.
type Response struct {
	Status int    // such as 200, 206, 304, 404
	URL    string // which answered, after redirects
	Header []Field
	Length int64 // of the body; -1: not known
	// Body is never nil. It is for one goroutine. It ends with an error when the
	// call's context does.
	Body io.ReadCloser
}

// Get returns the first field called name, in canonical form, or "".
func (r *Response) Get(name string) string {
	for _, f := range r.Header {
		if f.Name == name {
			return f.Value
		}
	}
	return ""
}

// Limits on requests and responses.
const (
	MaxURL    = 8 << 10  // bytes of a URL
	MaxHeader = 64 << 10 // bytes of all fields of a header
	maxFields = 200
)
