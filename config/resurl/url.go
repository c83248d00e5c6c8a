package resurl

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// The schemes whose URLs this package understands; others it passes on.
const (
	File    = "file"
	Gluster = "gluster"
	SSH     = "ssh"
)

// URL is a parsed resource URL. It is comparable: equal URLs name a resource
// in the same way. The zero value names nothing.
type URL struct {
	place
	// user and host say where ssh goes; host is empty if the place is reached directly.
	user, host string
}

// place is what a URL without ssh names.
type place struct {
	scheme string
	server string // of a gluster volume
	name   string // path, volume, or what follows a third party's "scheme://"
}

// IsZero reports whether u is the zero value.
func (u URL) IsZero() bool { return u == URL{} }

// Scheme is the scheme of the long form.
func (u URL) Scheme() string {
	if u.host != "" {
		return SSH
	}
	return u.scheme
}

// Inner is the URL as the far end of ssh sees it, or u itself without ssh.
func (u URL) Inner() URL { return URL{place: u.place} }

// User is the user named in an ssh URL, or "".
func (u URL) User() string { return u.user }

// Host is the host of an ssh or gluster URL, or "". An IPv6 address has no
// brackets here.
func (u URL) Host() string {
	if u.host != "" {
		return u.host
	}
	return u.server
}

// Path is the directory's absolute path, on the machine where it is, or "" if
// u does not name a directory.
func (u URL) Path() string {
	if u.scheme != File {
		return ""
	}
	return u.name
}

// Volume is the Gluster volume's name, or "".
func (u URL) Volume() string {
	if u.scheme != Gluster {
		return ""
	}
	return u.name
}

// Address is what the driver of the scheme gets. For file URLs, Rest is the
// path itself, not percent-encoded; for others it is what follows "scheme://"
// in the long form.
func (u URL) Address() sdk.Address {
	if u.host == "" && u.scheme == File {
		return sdk.Address{Scheme: File, Rest: u.name}
	}
	return sdk.Address{Scheme: u.Scheme(), Rest: strings.TrimPrefix(u.Long(), u.Scheme()+"://")}
}

// Long is the normal form of u, or "" for the zero value.
func (u URL) Long() string {
	if u.IsZero() {
		return ""
	}
	if u.host == "" {
		return u.place.long(u.server)
	}
	return SSH + "://" + login(u.user, u.host) + ":" + u.place.long(u.server)
}

// String is Long.
func (u URL) String() string { return u.Long() }

func login(user, host string) string {
	if user == "" {
		return bracket(host)
	}
	return user + "@" + bracket(host)
}

// bracket writes a host as it stands in a URL.
func bracket(host string) string {
	if strings.Contains(host, ":") {
		return "[" + host + "]"
	}
	return host
}

// long writes the place with server in the place of its own.
func (p place) long(server string) string {
	switch p.scheme {
	case File:
		return File + "://" + encode(p.name)
	case Gluster:
		return Gluster + "://" + bracket(server) + ":" + p.name
	}
	return p.scheme + "://" + p.name
}

// encode writes a path so that it survives in a file URL: %XX for bytes that
// are blank, no printable text, marks of globs, or '%' itself.
func encode(path string) string {
	var b strings.Builder
	for i := 0; i < len(path); {
		r, n := utf8.DecodeRuneInString(path[i:])
		if (r == utf8.RuneError && n == 1) || !unicode.IsGraphic(r) || unicode.IsSpace(r) || strings.ContainsRune("%*?[", r) {
			for _, c := range []byte(path[i : i+n]) {
				fmt.Fprintf(&b, "%%%02X", c)
			}
		} else {
			b.WriteString(path[i : i+n])
		}
		i += n
	}
	return b.String()
}
