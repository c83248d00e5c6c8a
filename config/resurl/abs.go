package resurl

import (
	"path"
	"strings"
)

// Abs makes an absolute path of what is plainly a relative one: ".", "..", and
// what starts with "./" or "../". All else is returned as it is, since "data"
// could as well be a mistyped volume. It is for arguments of a command line; a
// configuration file has no directory that its reader could guess.
func Abs(cwd, raw string) string {
	if raw == "." || raw == ".." || strings.HasPrefix(raw, "./") || strings.HasPrefix(raw, "../") {
		return path.Join(cwd, raw)
	}
	return raw
}
