package catalog

import (
	"fmt"
	"strings"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// Clean makes a path of a name as it is found in a list: "./a//b/" is "a/b". A
// name that leads out of the tree, or begins outside of it, is an error, which is
// for after the name: "is absolute".
func Clean(name string) (sdk.Path, error) {
	if strings.HasPrefix(name, "/") {
		return "", fmt.Errorf("is absolute")
	}
	if name == "" {
		return "", fmt.Errorf("has no name")
	}
	var parts []string
	for part := range strings.SplitSeq(name, "/") {
		switch part {
		case "", ".":
			continue
		case "..":
			return "", fmt.Errorf("leads out of the tree")
		}
		if err := sdk.ValidateName(part); err != nil {
			return "", fmt.Errorf("cannot be a path: %w", err)
		}
		parts = append(parts, part)
	}
	if len(parts) == 0 {
		return sdk.Root, nil
	}
	p := sdk.Path(strings.Join(parts, "/"))
	if err := p.Validate(); err != nil {
		return "", fmt.Errorf("cannot be a path: %w", err)
	}
	return p, nil
}

// shown makes a name for the root of one that has no place in the tree.
func shown(name string) string {
	const most = sdk.MaxName - 32 // room for what makes it unique
	var b strings.Builder
	for i := 0; i < len(name) && b.Len() < most-3; i++ {
		switch c := name[i]; {
		case c == '/' || c == '%' || c == 0:
			fmt.Fprintf(&b, "%%%02X", c)
		case c == '.' && strings.Trim(name, ".") == "":
			b.WriteString("%2E")
		default:
			b.WriteByte(c)
		}
	}
	if b.Len() == 0 || strings.HasPrefix(b.String(), sdk.ReservedPrefix) {
		return "%" + b.String()
	}
	return b.String()
}

// clip shortens what a stranger wrote, for a message.
func clip(s string) string {
	const most = 200
	if len(s) <= most {
		return s
	}
	return s[:most] + "…"
}
