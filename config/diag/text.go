package diag

import (
	"fmt"
	"io"
	"strings"
)

// WriteText renders the list for people:
//
//	mirrors.hcl:3:13: error: unknown scheme "s3"
//	  primary = "s3://bucket"
//	            ^^^^^^^^^^^^^
//	  hint: known schemes are file
//
// A place whose source is not among the sources comes without its line.
func (l List) WriteText(w io.Writer, sources Sources) error {
	var b strings.Builder
	for _, d := range l {
		if !d.Subject.IsZero() {
			fmt.Fprintf(&b, "%s: ", Clean(d.Subject.String()))
		}
		fmt.Fprintf(&b, "%s: %s\n", d.Severity, Clean(d.Summary))
		if !d.Secret {
			sources.write(&b, d.Subject)
		}
		for _, r := range d.Related {
			fmt.Fprintf(&b, "  %s: %s\n", Clean(r.Range.String()), Clean(r.Message))
			sources.write(&b, r.Range)
		}
		for i, line := range strings.Split(d.Detail, "\n") {
			switch {
			case d.Detail == "":
			case i == 0:
				fmt.Fprintf(&b, "  hint: %s\n", Clean(line))
			default:
				fmt.Fprintf(&b, "        %s\n", Clean(line))
			}
		}
	}
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("write diagnostics: %w", err)
	}
	return nil
}

func (s Sources) write(b *strings.Builder, r Range) {
	if line, carets, ok := s.snippet(r); ok {
		fmt.Fprintf(b, "  %s\n  %s\n", line, carets)
	}
}
