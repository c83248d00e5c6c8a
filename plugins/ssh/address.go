package ssh

import (
	"fmt"
	"net/netip"
	"strings"
)

// address is where a resource is: what follows "ssh://" in the long form.
type address struct {
	user  string // "" if not given
	host  string
	inner string // the URL as the far machine sees it
}

// parseAddress splits "user@host:URL". An IPv6 address stands in brackets.
func parseAddress(rest string) (address, error) {
	user, after, named := "", rest, false
	if head, _, _ := strings.Cut(rest, ":"); strings.Contains(head, "@") {
		user, after, named = strings.Cut(rest, "@")
	}
	host, inner, ok := strings.Cut(after, ":")
	if strings.HasPrefix(after, "[") {
		host, inner, ok = strings.Cut(after[1:], "]:")
		if addr, err := netip.ParseAddr(host); err != nil || !addr.Is6() {
			return address{}, fmt.Errorf("%q has no IPv6 address in its brackets", rest)
		}
	}
	switch {
	case !ok || inner == "":
		return address{}, fmt.Errorf("%q has no URL behind the host", rest)
	case host == "" || named && user == "" || strings.HasPrefix(host, "-"):
		return address{}, fmt.Errorf("%q is not [user@]host", strings.TrimSuffix(rest, ":"+inner))
	}
	return address{user: user, host: host, inner: inner}, nil
}
