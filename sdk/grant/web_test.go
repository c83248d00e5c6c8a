package grant

import (
	"net/url"
	"testing"
)

// A grant of a path is left by no way of writing another one.
func TestCovers(t *testing.T) {
	o := &OriginConfig{URL: "https://x/pub/"}
	for raw, want := range map[string]bool{
		"https://x/pub/":         true,
		"https://x:443/pub/a/b":  true,
		"https://X/pub/a;v=1?q":  true,
		"https://x/pub/..a/b..":  true,
		"https://x/pub/a%20b":    true,
		"https://x/pub":          false,
		"https://x/":             false,
		"http://x/pub/":          false,
		"https://x:8443/pub/":    false,
		"https://u:p@x/pub/":     false,
		"https://x/pub/../a":     false,
		"https://x/pub/%2e%2E/a": false,
		"https://x/pub/./a":      false,
		"https://x/pub/..;v/a":   false,
		"https://x/pub/.;/a":     false,
		"https://x/pub/..%3b/a":  false,
		"https://x/pub/..%2fa":   false,
		"https://x/pub/b%2F..":   false,
		"https://x/pub/a%2fb":    false,
		"https://x/pub/..%5ca":   false,
		`https://x/pub/..\a`:     false,
	} {
		u, err := url.Parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		if got := o.covers(u); got != want {
			t.Errorf("%s: %v, want %v", raw, got, want)
		}
	}
}
