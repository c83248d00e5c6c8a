// Package manifest is the list of a tree that a web server serves beside it: one
// JSON object a line, the first naming the format, the last counting the others.
//
//	{"format":"gsyncd-host manifest 1"}
//	{"path":"docs/a%20b.txt","size":3,"mtime":"2024-05-06T07:08:09.5Z","mode":"0644","sha256":"ba78…"}
//	{"path":"docs","type":"dir","mtime":"2024-05-06T07:08:10Z","mode":"0755"}
//	{"path":"latest","type":"symlink","target":"docs"}
//	{"entries":3}
//
// Paths and targets are percent-encoded as in a URL, since names are bytes and JSON
// is text. Directories that only hold others need no line.
package manifest

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Format is the first line's word.
const Format = "gsyncd-host manifest 1"

// Types of entries; a line without one is of a file.
const (
	File    = "file"
	Dir     = "dir"
	Symlink = "symlink"
)

// Entry is a line.
type Entry struct {
	Path   string    `json:"path"` // encoded
	Type   string    `json:"type,omitempty"`
	Size   int64     `json:"size,omitempty"`
	Mtime  time.Time `json:"mtime,omitzero"`
	Mode   string    `json:"mode,omitempty"` // octal; "" is 0644, or 0755 of a directory
	UID    uint32    `json:"uid,omitempty"`
	GID    uint32    `json:"gid,omitempty"`
	SHA256 string    `json:"sha256,omitempty"` // of a file, hexadecimal
	Target string    `json:"target,omitempty"` // of a symlink, encoded
}

type first struct {
	Format string `json:"format"`
}

type last struct {
	Entries int `json:"entries"`
}

// Encode makes the form of a path that a manifest has.
func Encode(path string) string {
	parts := strings.Split(path, "/")
	for i := range parts {
		parts[i] = url.PathEscape(parts[i])
	}
	return strings.Join(parts, "/")
}

// Decode undoes Encode. A component that holds a "/" of its own is an error.
func Decode(path string) (string, error) {
	parts := strings.Split(path, "/")
	for i, p := range parts {
		name, err := url.PathUnescape(p)
		if err != nil {
			return "", errors.New("has a % without two hexadecimal digits")
		}
		if strings.Contains(name, "/") {
			return "", errors.New(`hides a "/" in a name`)
		}
		parts[i] = name
	}
	return strings.Join(parts, "/"), nil
}

// Perm gives the mode's bits.
func (e *Entry) Perm() (uint32, error) {
	switch {
	case e.Mode != "":
		n, err := strconv.ParseUint(e.Mode, 8, 32)
		if err != nil || n > 0o7777 {
			return 0, fmt.Errorf("has the mode %q", e.Mode)
		}
		return uint32(n), nil
	case e.Type == Dir:
		return 0o755, nil
	}
	return 0o644, nil
}

// Sum gives a file's checksum.
func (e *Entry) Sum() ([32]byte, error) {
	var out [32]byte
	b, err := hex.DecodeString(e.SHA256)
	if err != nil || len(b) != len(out) {
		return out, errors.New("has no sha256 of 64 hexadecimal digits")
	}
	return [32]byte(b), nil
}

// maxLine is the longest line, in bytes: more than the longest path, encoded.
const maxLine = 256 << 10

// Read reads a manifest. Of one that is cut short or not of this format it says
// so, and then what each was told of does not count. What each returns ends it.
func Read(r io.Reader, each func(Entry) error) error {
	in := bufio.NewScanner(r)
	in.Buffer(make([]byte, 64<<10), maxLine)
	line := 0
	next := func() bool { line++; return in.Scan() }
	bad := func(format string, args ...any) error {
		if err := in.Err(); err != nil && !errors.Is(err, bufio.ErrTooLong) {
			return err
		}
		return fmt.Errorf("line %d %s", line, fmt.Sprintf(format, args...))
	}
	var head first
	if !next() || json.Unmarshal(in.Bytes(), &head) != nil || head.Format != Format {
		return bad("is not %s", `{"format":"`+Format+`"}`)
	}
	for n := 0; next(); n++ {
		var e struct {
			Entry
			Entries *int `json:"entries"`
		}
		if err := strict(in.Bytes(), &e); err != nil {
			return bad("is no entry: %v", err)
		}
		if e.Entries == nil {
			if err := each(e.Entry); err != nil {
				return err
			}
			continue
		}
		if *e.Entries != n || e.Path != "" {
			return bad("counts %d entries, and there are %d", *e.Entries, n)
		}
		if next() {
			return bad("stands after the end")
		}
		return in.Err()
	}
	return bad("is not there: the manifest is cut short")
}

// strict decodes one object and nothing unknown: a word that is not understood may
// be one that counts.
func strict(line []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows the object")
	}
	return nil
}

// Writer writes a manifest.
type Writer struct {
	out *json.Encoder
	n   int
}

// NewWriter begins a manifest.
func NewWriter(w io.Writer) (*Writer, error) {
	out := json.NewEncoder(w)
	return &Writer{out: out}, out.Encode(first{Format})
}

// Write writes an entry.
func (w *Writer) Write(e Entry) error {
	w.n++
	return w.out.Encode(e)
}

// Close writes the last line.
func (w *Writer) Close() error { return w.out.Encode(last{w.n}) }
