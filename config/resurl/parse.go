package resurl

import (
	"encoding/hex"
	"fmt"
	"net/netip"
	"path"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

var (
	schemeRX = regexp.MustCompile(`^[a-z][a-z0-9+.-]*$`)
	hostRX   = regexp.MustCompile(`^[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?$`)
	zoneRX   = regexp.MustCompile(`^[A-Za-z0-9_.-]+$`)
	// No '-' in front: the user becomes a word of ssh's command line.
	userRX   = regexp.MustCompile("^[A-Za-z0-9_!#$%&'+,.=^`{|}~][A-Za-z0-9_!#$%&'+,.=^`{|}~-]*$")
	volumeRX = regexp.MustCompile(`^[A-Za-z0-9_.-]+$`)
)

// Parse reads a URL in its long or short form. An error is a *ParseError.
func Parse(raw string) (URL, error) {
	p := parser{raw: raw}
	u, err := p.url(0)
	if err != nil {
		return URL{}, err
	}
	return u, nil
}

// parser reads one URL. Its methods take offsets in raw, so that an error
// inside an inner URL points at the right place of the whole.
type parser struct {
	raw  string
	over bool // the rest of raw is the inner URL of ssh
}

func (p *parser) fail(start, end int, hint, format string, args ...any) *ParseError {
	return &ParseError{URL: p.raw, Start: start, End: end, Hint: hint, Summary: fmt.Sprintf(format, args...)}
}

// url reads all from offset at.
func (p *parser) url(at int) (URL, *ParseError) {
	text := p.raw[at:]
	if scheme, _, ok := strings.Cut(text, "://"); ok && !strings.ContainsAny(scheme, "/:@") && scheme != "" {
		return p.long(at, scheme)
	}
	before, after, colon := cutHost(text)
	switch {
	case text == "":
		return URL{}, p.fail(at, at, "write a path such as /data, or a URL", "the URL is empty")
	case text[0] == '/':
		return p.plain(at)
	case !colon:
		hint := "a path is absolute: /" + strings.TrimLeft(text, "./") + "; a Gluster volume is host:volume, or :volume on this machine"
		return URL{}, p.fail(at, len(p.raw), hint, "%q is neither an absolute path nor a URL", text)
	case before == "":
		return p.volume(at+1, "localhost")
	case before == File && strings.HasPrefix(after, "/"):
		return URL{}, p.fail(at, at+len("file:"), "write file:///path, or /path", "file: lacks its slashes")
	case strings.Contains(before, "@") || strings.ContainsAny(after, ":/"):
		return p.ssh(at)
	}
	return p.gluster(at)
}

// long reads scheme://rest.
func (p *parser) long(at int, scheme string) (URL, *ParseError) {
	if !schemeRX.MatchString(scheme) {
		return URL{}, p.fail(at, at+len(scheme), "a scheme is made of a-z, 0-9, '+', '-' and '.', a letter first", "%q is not a scheme", scheme)
	}
	rest := at + len(scheme) + len("://")
	switch scheme {
	case File:
		return p.file(rest)
	case Gluster:
		return p.gluster(rest)
	case SSH:
		return p.ssh(rest)
	}
	if p.over {
		return URL{}, p.fail(at, at+len(scheme), "behind ssh there can be a path or a Gluster volume", "%s:// cannot be reached over ssh", scheme)
	}
	text := p.raw[rest:]
	if text == "" {
		return URL{}, p.fail(rest, rest, "", "nothing follows %s://", scheme)
	}
	for i, r := range text {
		if r == utf8.RuneError || unicode.IsControl(r) {
			return URL{}, p.fail(rest+i, rest+i+1, "", "the URL has a byte that is no printable text")
		}
	}
	return URL{place: place{scheme: scheme, name: text}}, nil
}

// plain reads a /path, which is taken as it is.
func (p *parser) plain(at int) (URL, *ParseError) {
	if p.over {
		if err := p.ban(at, len(p.raw), "write the path as file:// with %%%02X"); err != nil {
			return URL{}, err
		}
	}
	if i := strings.IndexByte(p.raw[at:], 0); i >= 0 {
		return URL{}, p.fail(at+i, at+i+1, "", "a path cannot hold a NUL byte")
	}
	return URL{place: place{scheme: File, name: path.Clean(p.raw[at:])}}, nil
}

// file reads what follows file://.
func (p *parser) file(at int) (URL, *ParseError) {
	text := p.raw[at:]
	if !strings.HasPrefix(text, "/") {
		return URL{}, p.fail(at, len(p.raw), "write file:///path, with three slashes", "the path of a file URL must be absolute")
	}
	if err := p.ban(at, len(p.raw), "write %%%02X"); err != nil {
		return URL{}, err
	}
	name, err := p.decode(at)
	if err != nil {
		return URL{}, err
	}
	return URL{place: place{scheme: File, name: path.Clean(name)}}, nil
}

// decode replaces %XX from offset at on.
func (p *parser) decode(at int) (string, *ParseError) {
	var b strings.Builder
	for i := at; i < len(p.raw); i++ {
		c := p.raw[i]
		if c == '%' {
			end := min(i+3, len(p.raw))
			code, err := hex.DecodeString(p.raw[i+1 : end])
			switch {
			case err != nil || len(code) != 1:
				return "", p.fail(i, end, "write %25 for the character %", "%q is not %% and two hexadecimal digits", p.raw[i:end])
			case code[0] == 0:
				return "", p.fail(i, end, "", "a path cannot hold a NUL byte")
			}
			c = code[0]
			i += 2
		}
		b.WriteByte(c)
	}
	return b.String(), nil
}

// gluster reads host:volume.
func (p *parser) gluster(at int) (URL, *ParseError) {
	text, _, ok := cutHost(p.raw[at:])
	host, err := p.host(at, text)
	if err != nil {
		return URL{}, err
	}
	if !ok {
		return URL{}, p.fail(len(p.raw), len(p.raw), "write gluster://host:volume", "no volume follows the host")
	}
	return p.volume(at+len(text)+1, host)
}

func (p *parser) volume(at int, host string) (URL, *ParseError) {
	name := p.raw[at:]
	switch {
	case name == "":
		return URL{}, p.fail(at, at, "write host:volume, host:/path or :volume", "nothing follows the colon")
	case !volumeRX.MatchString(name):
		if err := p.ban(at, len(p.raw), ""); err != nil {
			return URL{}, err
		}
		hint := "a volume's name is made of letters, digits, '_', '-' and '.'"
		if strings.Contains(name, ":") {
			hint += "; an IPv6 address stands in brackets, as in [::1]:/path"
		}
		return URL{}, p.fail(at, len(p.raw), hint, "%q is not the name of a volume", name)
	}
	return URL{place: place{scheme: Gluster, server: host, name: name}}, nil
}

// ssh reads [user@]host:INNER.
func (p *parser) ssh(at int) (URL, *ParseError) {
	if p.over {
		return URL{}, p.fail(at, len(p.raw), "behind ssh there can be a path or a Gluster volume", "an ssh URL cannot lead through another one")
	}
	who, _, ok := cutHost(p.raw[at:])
	user, text, named := strings.Cut(who, "@")
	hostAt := at + len(user) + 1
	if !named {
		user, text, hostAt = "", who, at
	} else if err := p.user(at, user); err != nil {
		return URL{}, err
	}
	host, err := p.host(hostAt, text)
	if err != nil {
		return URL{}, err
	}
	if !ok {
		return URL{}, p.fail(len(p.raw), len(p.raw), "write ssh://host:/path or ssh://host::volume", "no path or volume follows the host")
	}
	p.over = true
	inner, err := p.url(at + len(who) + 1)
	if err != nil {
		return URL{}, err
	}
	inner.user, inner.host = user, host
	return inner, nil
}

func (p *parser) user(at int, user string) *ParseError {
	if err := p.ban(at, at+len(user), ""); err != nil {
		return err
	}
	if !userRX.MatchString(user) {
		return p.fail(at, at+len(user), "", "%q is not the name of a user", user)
	}
	return nil
}

// host reads a name or an address. One in brackets comes back without them, in
// its normal form.
func (p *parser) host(at int, text string) (string, *ParseError) {
	if strings.HasPrefix(text, "[") {
		addr, err := netip.ParseAddr(strings.TrimSuffix(text[1:], "]"))
		if err != nil || !addr.Is6() || !strings.HasSuffix(text, "]") || addr.Zone() != "" && !zoneRX.MatchString(addr.Zone()) {
			return "", p.fail(at, at+len(text), "in brackets there is an IPv6 address, as in [::1] or [fe80::1%eth0]", "%q is not an address", text)
		}
		return addr.String(), nil
	}
	if err := p.ban(at, at+len(text), ""); err != nil {
		return "", err
	}
	if !hostRX.MatchString(text) {
		return "", p.fail(at, at+len(text), "a host is a name, an IPv4 address, or an IPv6 address in brackets", "%q is not the name of a host", text)
	}
	return text, nil
}

// cutHost splits "[user@]host:rest" at the colon that ends the host, which may be
// an address in brackets.
func cutHost(text string) (before, after string, found bool) {
	head, _, _ := strings.Cut(text, ":")
	at := strings.IndexByte(head, '@') + 1
	if strings.HasPrefix(text[at:], "[") {
		if end := strings.IndexByte(text[at:], ']'); end > 0 {
			before, after, found = strings.Cut(text[at+end:], ":")
			return text[:at+end] + before, after, found
		}
	}
	return strings.Cut(text, ":")
}

// ban refuses blanks and globs in raw[from:to]. The hint, if there is one, is
// the format of what to write for the byte found.
func (p *parser) ban(from, to int, hint string) *ParseError {
	for i := from; i < to; i++ {
		c := p.raw[i]
		if c > ' ' && c != 0x7f && !strings.ContainsRune("*?[", rune(c)) {
			continue
		}
		if hint != "" {
			hint = fmt.Sprintf(hint, c)
		}
		what := fmt.Sprintf("%q", c)
		if c == ' ' {
			what = "a blank"
		}
		return p.fail(i, i+1, hint, "%s cannot stand in a URL of this kind", what)
	}
	return nil
}
