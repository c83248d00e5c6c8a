package resurl_test

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/gsyncd/gsyncd-host/config/resurl"
)

// FuzzParse holds every text to the laws of the package: an error points into
// the text, and a URL survives its long form, which is printable.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"/a b", "file:///%41", "h:v", ":v", "h:/x", "u@h::v", "ssh://u@h:gluster://s:v", "s3://b?x", "%", "://", "a@b:c://d", "u@[::1]:/x", "[fe80::1%eth0]:v", "ssh://[::1]:[::2]:v", "u@[::1", "[::ffff:1.2.3.4]x:/d"} {
		f.Add(s)
	}
	resolver := resurl.Resolver{User: "u", Host: func(string) (string, error) { return "192.0.2.1", nil }}
	f.Fuzz(func(t *testing.T, raw string) {
		u, err := resurl.Parse(raw)
		var pe *resurl.ParseError
		if errors.As(err, &pe) {
			if pe.Start < 0 || pe.Start > pe.End || pe.End > len(raw) || pe.Summary == "" {
				t.Fatalf("error out of range: %+v", pe)
			}
			return
		}
		if err != nil {
			t.Fatalf("Parse(%q): %v is not a ParseError", raw, err)
		}
		long := u.Long()
		again, err := resurl.Parse(long)
		if err != nil || again != u || again.Long() != long {
			t.Fatalf("Parse(%q) = %#v, its long form %q gives %#v, %v", raw, u, long, again, err)
		}
		if strings.ContainsAny(long, "\x00\n\x1b") || (u.Path() != "" && !utf8.ValidString(long)) {
			t.Fatalf("long form %q is not printable", long)
		}
		if p := u.Path(); p != "" && p[0] != '/' {
			t.Fatalf("path %q is not absolute", p)
		}
		if a := u.Address(); a.Scheme == resurl.SSH || a.Scheme == resurl.Gluster {
			if back, err := resurl.Parse(a.String()); err != nil || back != u {
				t.Fatalf("address %s is not %s: %v", a, u, err)
			}
		}
		if s, err := u.EscapedCanonical(resolver); err != nil || len(s) > 255 || strings.ContainsAny(s, "/\x00") {
			t.Fatalf("escaped form %q: %v", s, err)
		}
	})
}
