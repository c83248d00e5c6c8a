package diag

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Clean makes a text safe for one line of a terminal: control characters, those
// that turn the direction of writing, and bytes that are not Unicode come out
// as Go writes them in strings.
func Clean(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		b.WriteString(cleanRune(r, s[i:i+n]))
		i += n
	}
	return b.String()
}

// cleanRune makes r visible, which is raw in its source.
func cleanRune(r rune, raw string) string {
	switch {
	case r == utf8.RuneError && len(raw) == 1:
		return fmt.Sprintf(`\x%02x`, raw[0])
	case r == '\n':
		return `\n`
	case r == '\t':
		return `\t`
	case r == '\r':
		return `\r`
	case r < 0x80 && unicode.IsControl(r):
		return fmt.Sprintf(`\x%02x`, r)
	case r != ' ' && !unicode.IsGraphic(r), unicode.Is(unicode.Bidi_Control, r), r == '\u2028', r == '\u2029':
		if r > 0xffff {
			return fmt.Sprintf(`\U%08x`, r)
		}
		return fmt.Sprintf(`\u%04x`, r)
	}
	return raw
}
