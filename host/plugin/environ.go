package plugin

import (
	"slices"
	"strings"
)

// passed are the variables that every plugin gets: where programs, homes and
// temporary files are, and how people read text and time. Anything else, a
// token of another service above all, is none of a plugin's business.
func passed() []string {
	return []string{"PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR"}
}

// environ picks the variables that a plugin gets out of the host's.
func environ(host, more []string) []string {
	allowed := append(passed(), more...)
	var out []string
	for _, v := range host {
		if name, _, ok := strings.Cut(v, "="); ok && slices.Contains(allowed, name) {
			out = append(out, v)
		}
	}
	return out
}
