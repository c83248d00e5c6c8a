package ssh

import (
	"fmt"
	"strings"
)

// address is where a resource is: what follows "ssh://" in the long form.
type address struct {
	user  string // "" if not given
	host  string
	inner string // the URL as the far machine sees it
}

// parseAddress splits "user@host:URL".
func parseAddress(rest string) (address, error) {
	who, inner, ok := strings.Cut(rest, ":")
	user, host, named := strings.Cut(who, "@")
	if !named {
		user, host = "", who
	}
	switch {
	case !ok || inner == "":
		return address{}, fmt.Errorf("%q has no URL behind the host", rest)
	case host == "" || named && user == "" || strings.HasPrefix(host, "-"):
		return address{}, fmt.Errorf("%q is not [user@]host", who)
	}
	return address{user: user, host: host, inner: inner}, nil
}
