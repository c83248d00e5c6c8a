package diag

import (
	"bytes"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/width"
)

// Sources holds the bytes that ranges point into, by Range.File.
type Sources map[string][]byte

// maxSnippet is the most bytes of a line that are shown.
const maxSnippet = 400

// snippet returns the line where r starts and a line of carets under the part
// that r covers, or false if there is nothing to show.
func (s Sources) snippet(r Range) (line, carets string, ok bool) {
	src := s[r.File]
	start, end := r.Start.Byte, r.End.Byte
	if src == nil || start < 0 || start > len(src) || (r.Start.Line == 0 && start == end) {
		return "", "", false
	}
	from := bytes.LastIndexByte(src[:start], '\n') + 1
	to := len(src)
	if i := bytes.IndexByte(src[start:], '\n'); i >= 0 {
		to = start + i
	}
	text := bytes.TrimSuffix(src[from:to], []byte("\r"))
	if len(bytes.TrimSpace(text)) == 0 || len(text) > maxSnippet {
		return "", "", false
	}
	start, end = min(start-from, len(text)), min(end-from, len(text))

	var shown, under strings.Builder
	for i := 0; i < len(text); {
		c, n := utf8.DecodeRune(text[i:])
		visible, mark := "\t", "\t"
		if c != '\t' {
			visible = cleanRune(c, string(text[i:i+n]))
			mark = strings.Repeat(" ", columns(visible))
		}
		shown.WriteString(visible)
		switch {
		case i < start:
			under.WriteString(mark)
		case i < end:
			// A tab under a caret would break the row of carets.
			under.WriteString(strings.Repeat("^", max(columns(visible), len(mark))))
		}
		i += n
	}
	if start >= end {
		under.WriteByte('^')
	}
	return shown.String(), under.String(), true
}

// columns is the width of s on a terminal.
func columns(s string) int {
	n := 0
	for _, r := range s {
		switch k := width.LookupRune(r).Kind(); {
		case unicode.In(r, unicode.Mn, unicode.Me):
		case k == width.EastAsianWide || k == width.EastAsianFullwidth:
			n += 2
		default:
			n++
		}
	}
	return n
}
