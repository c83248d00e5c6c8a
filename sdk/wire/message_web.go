package wire

import (
	"encoding/binary"
	"errors"
	"math"
)

// Field is one field of an HTTP header.
type Field struct {
	Name  string // of a response in canonical form: "Content-Length"
	Value string
}

// WebRequest is a request to an origin.
type WebRequest struct {
	Method, URL string
	Header      []Field
}

// WebResponse is an origin's answer.
type WebResponse struct {
	Status uint16
	Length int64 // of the body; -1: not known
	URL    string
	Header []Field
}

var errFieldLong = errors.New("a URL or a header is too long")

func appendFields(b []byte, fields []Field) ([]byte, error) {
	if len(fields) > math.MaxUint16 {
		return b, errFieldLong
	}
	b = binary.LittleEndian.AppendUint16(b, uint16(len(fields)))
	for _, f := range fields {
		if len(f.Name) > math.MaxUint16 || len(f.Value) > math.MaxUint16 {
			return b, errFieldLong
		}
		b = AppendStr(AppendStr(b, f.Name), f.Value)
	}
	return b, nil
}

func (c *Cursor) fields() []Field {
	out := make([]Field, c.count(int(c.U16()), 4))
	for i := range out {
		out[i] = Field{Name: string(c.Str()), Value: string(c.Str())}
	}
	return out
}

// AppendWebRequest appends a request.
func AppendWebRequest(b []byte, r *WebRequest) ([]byte, error) {
	if len(r.Method) > math.MaxUint16 || len(r.URL) > math.MaxUint16 {
		return b, errFieldLong
	}
	return appendFields(AppendStr(AppendStr(b, r.Method), r.URL), r.Header)
}

// WebRequest takes what AppendWebRequest wrote.
func (c *Cursor) WebRequest() (WebRequest, error) {
	r := WebRequest{Method: string(c.Str()), URL: string(c.Str()), Header: c.fields()}
	return r, c.Done()
}

// AppendWebResponse appends a response.
func AppendWebResponse(b []byte, r *WebResponse) ([]byte, error) {
	if len(r.URL) > math.MaxUint16 {
		return b, errFieldLong
	}
	b = binary.LittleEndian.AppendUint16(b, r.Status)
	b = binary.LittleEndian.AppendUint64(b, uint64(r.Length))
	return appendFields(AppendStr(b, r.URL), r.Header)
}

// WebResponse takes what AppendWebResponse wrote.
func (c *Cursor) WebResponse() (WebResponse, error) {
	r := WebResponse{Status: c.U16(), Length: int64(c.U64()), URL: string(c.Str()), Header: c.fields()}
	return r, c.Done()
}

// maxAttrs is the most attributes of a log line.
const maxAttrs = 64

// AppendLog appends a log line; what is too long is cut.
func AppendLog(b []byte, message string, attrs []Field) ([]byte, error) {
	b = AppendStr(b, clip(message))
	attrs = attrs[:min(len(attrs), maxAttrs)]
	short := make([]Field, len(attrs))
	for i, a := range attrs {
		short[i] = Field{Name: clip(a.Name), Value: clip(a.Value)}
	}
	return appendFields(b, short)
}

// Log takes what AppendLog wrote.
func (c *Cursor) Log() (message string, attrs []Field, err error) {
	message, attrs = clip(string(c.Str())), c.fields()
	return message, attrs[:min(len(attrs), maxAttrs)], c.Done()
}
