package agent

import (
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gsyncd/gsyncd-host/config/resurl"
)

// Restriction is what one key may do, whatever its holder asks for.
type Restriction struct {
	Roots  []resurl.URL   // the trees; no others, and no directories in them
	From   []netip.Prefix // clients' networks; none means any
	Policy Policy
}

// ParseNetworks reads networks, single addresses and, in each, lists of them
// with commas between.
func ParseNetworks(lists []string) ([]netip.Prefix, error) {
	var out []netip.Prefix
	for text := range strings.SplitSeq(strings.Join(lists, ","), ",") {
		if text = strings.TrimSpace(text); text == "" {
			continue
		}
		p, err := netip.ParsePrefix(text)
		if err != nil {
			var a netip.Addr
			if a, err = netip.ParseAddr(text); err == nil && a.Zone() != "" {
				err = errors.New("zone")
			}
			if err == nil {
				p = netip.PrefixFrom(a, a.BitLen())
			}
		}
		if a := p.Addr(); err == nil && a.Is4In6() {
			if p.Bits() < 96 {
				err = errors.New("neither family")
			}
			p = netip.PrefixFrom(a.Unmap(), max(0, p.Bits()-96))
		}
		if err != nil {
			return nil, fmt.Errorf("%q is no network; write it as 192.0.2.0/24 or 2001:db8::/32", text)
		}
		out = append(out, p.Masked())
	}
	if len(out) == 0 && len(lists) > 0 {
		return nil, errors.New("no network is named; write one as 192.0.2.0/24 or 2001:db8::/32")
	}
	return out, nil
}

// Check reports roots that cannot be kept apart.
func (r *Restriction) Check() error {
	for i, a := range r.Roots {
		if a.Scheme() == resurl.SSH {
			return fmt.Errorf("root %s leads to another machine; name it as that machine sees it", a)
		}
		for _, b := range r.Roots[:i] {
			if resurl.Overlap(a, b, filepath.EvalSymlinks) != resurl.Apart {
				return fmt.Errorf("roots %s and %s overlap: what one may do to the other's entries could not be told; name the outer one alone, or use two keys", b, a)
			}
		}
	}
	return nil
}

// Admit decides about a client by the command line that it sent and the
// connection that it came by, in the form of SSH_ORIGINAL_COMMAND and
// SSH_CONNECTION. The error says what the key is for; the request's kind is then
// set if it is known.
func (r *Restriction) Admit(command, connection string) (Request, error) {
	if err := r.admitClient(connection); err != nil {
		return Request{}, err
	}
	if command == "" {
		return Request{}, fmt.Errorf("there is no shell for this key: %s", r.may())
	}
	req, err := ParseRequest(command)
	switch {
	case err != nil:
		return Request{}, fmt.Errorf("refused %q: %w; %s", shorten(command), err, r.may())
	case req.Kind == RequestServe && !slices.Contains(r.Roots, req.URL):
		return Request{}, fmt.Errorf("refused %s: it is not a root of this key, nor may it be a directory in one; %s", req.URL, r.may())
	case req.Kind == RequestRsync && r.Policy.MaxBytes > 0:
		err = errors.New("what it writes cannot be counted, and this key has --max-bytes")
	case req.Kind == RequestRsync && r.Policy.Access == ReadOnly:
		err = errors.New("this key may only read")
	case req.Kind == RequestRsync && !canConfine():
		err = errors.New("this machine's kernel cannot confine it (Landlock), and this key is restricted")
	}
	if err != nil {
		return Request{Kind: req.Kind}, fmt.Errorf("refused to %s: %w; %s", req.Kind, err, r.may())
	}
	return req, nil
}

// admitClient holds the client's address against the networks.
func (r *Restriction) admitClient(connection string) error {
	if len(r.From) == 0 {
		return nil
	}
	text, _, _ := strings.Cut(connection, " ")
	addr, err := netip.ParseAddr(text)
	if err != nil {
		return fmt.Errorf("refused: it cannot be told where the client is (SSH_CONNECTION is %q), and this key is for clients in %s alone", shorten(connection), networks(r.From))
	}
	addr = addr.Unmap().WithZone("")
	for _, p := range r.From {
		if p.Contains(addr) {
			return nil
		}
	}
	return fmt.Errorf("refused: the client is at %s, and this key is for clients in %s alone", addr, networks(r.From))
}

func networks(list []netip.Prefix) string {
	var out []string
	for _, p := range list {
		out = append(out, p.String())
	}
	return strings.Join(out, ",")
}

// Grant names the restriction: sessions under equal ones may be joined by
// clients of both.
func (r *Restriction) Grant() string {
	var roots []string
	for _, u := range r.Roots {
		roots = append(roots, quote(u.Long()))
	}
	slices.Sort(roots)
	return fmt.Sprintf("%s from=%s access=%s max=%d", strings.Join(roots, " "), networks(r.From), r.Policy.Access.Flag(), r.Policy.MaxBytes)
}

// may says what the key is for.
func (r *Restriction) may() string {
	var roots []string
	for _, u := range r.Roots {
		roots = append(roots, u.String())
	}
	how := ""
	if f := r.Policy.Access.Flag(); f != "" {
		how = " (" + f + ")"
	}
	return "this key may only start gsyncd-host agent for " + strings.Join(roots, " or ") + how
}

const maxShownCommand = 100

func shorten(s string) string {
	if len(s) > maxShownCommand {
		return strings.ToValidUTF8(s[:maxShownCommand], "") + "…"
	}
	return s
}
