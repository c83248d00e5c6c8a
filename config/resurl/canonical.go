package resurl

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
)

// Resolver supplies what a canonical form needs to know of the world.
type Resolver struct {
	// Host gives the address of a host, always the same one of several.
	Host func(name string) (string, error)
	// User is who ssh logs in as where a URL does not say.
	User string
}

// Canonical is the long form with hosts as addresses and the user of ssh
// added. It serves to tell resources apart, not to reach them.
func (u URL) Canonical(r Resolver) (string, error) {
	server, err := r.resolve(u.server)
	if err != nil {
		return "", fmt.Errorf("canonical form of %s: %w", u, err)
	}
	inner := u.place.long(server)
	if u.host == "" {
		return inner, nil
	}
	host, err := r.resolve(u.host)
	if err != nil {
		return "", fmt.Errorf("canonical form of %s: %w", u, err)
	}
	user := u.user
	if user == "" {
		user = r.User
	}
	return SSH + "://" + login(user, host) + ":" + inner, nil
}

func (r Resolver) resolve(host string) (string, error) {
	if host == "" {
		return "", nil
	}
	addr, err := r.Host(host)
	if err != nil {
		return "", fmt.Errorf("resolve host %s: %w", host, err)
	}
	return addr, nil
}

// maxComponent is the longest name of a directory entry, in bytes.
const maxComponent = 255

// EscapedCanonical is the canonical form as one path component: every byte but
// letters, digits, '_', '-' and '.' becomes %XX. What would be longer than 255
// bytes keeps its beginning, followed by '+' and the SHA-256 of the whole in
// hexadecimal.
func (u URL) EscapedCanonical(r Resolver) (string, error) {
	c, err := u.Canonical(r)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for i := range len(c) {
		if ch := c[i]; ch == '_' || ch == '-' || ch == '.' || isAlnum(ch) {
			b.WriteByte(ch)
		} else {
			fmt.Fprintf(&b, "%%%02X", ch)
		}
	}
	s := b.String()
	if len(s) > maxComponent {
		sum := sha256.Sum256([]byte(s))
		s = s[:maxComponent-1-hex.EncodedLen(len(sum))] + "+" + hex.EncodeToString(sum[:])
	}
	return s, nil
}

func isAlnum(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}
