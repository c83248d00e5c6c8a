package ssh

import (
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/schema"
)

// maxJumps is how many hosts may lie in between.
const maxJumps = 8

// route is the way to a host, and what to start there.
type route struct {
	hops     []*hop // the last one is where the tree is
	inner    string
	agent    string // in the far shell's words
	options  []string
	settings []string // of the far driver
	compress bool
	program  *payload // to put there where it is lacking, or nil
	offer    string   // for messages: how it could have been put there, or ""
	deployed bool     // agent is the program, put there
	warnings []string
}

// deployable reports whether the program may be put there if it is lacking.
func (r *route) deployable() bool { return r.program != nil && !r.deployed }

func (r *route) last() *hop { return r.hops[len(r.hops)-1] }

// route works out the way for a request. Without hops the diagnostics say why.
func (d *driver) route(req sdk.OpenRequest) (*route, []schema.Diagnostic) {
	diags := checkSettings(req.Config)
	a, err := parseAddress(req.Address.Rest)
	if err != nil {
		return &route{}, append(diags, schema.Diagnostic{Summary: err.Error(), Detail: "Write ssh://user@host:/path."})
	}
	if len(diags) > 0 {
		return &route{}, diags
	}
	r := &route{inner: a.inner, agent: req.Config.String(attrRemoteAgent), options: req.Config.Strings(attrRemoteOptions), compress: req.Config.Bool(attrCompress), settings: req.Config.Strings(attrRemoteSettings)}
	if r.agent == "" {
		r.agent = defaultAgent
		switch {
		case d.program == nil:
		case req.Config.Bool(attrDeploy):
			r.program = d.program
		default:
			r.offer = ", or let it be put there: deploy = true"
		}
	}
	if err := r.plan(a, req.Config, d.me); err != nil {
		r.hops = nil
		return r, append(diags, schema.Diagnostic{Summary: err.Error(), Detail: "Mend ssh's configuration for this host."})
	}
	return r, diags
}

// plan finds the hops, the last one first.
func (r *route) plan(a address, v schema.Values, me local) error {
	h, err := r.hop(a.host, a.user, me)
	if err != nil {
		return err
	}
	if err := h.override(v, me); err != nil {
		return err
	}
	r.hops = []*hop{h}
	for jump := h.jump; jump != ""; {
		if len(r.hops) > maxJumps {
			return fmt.Errorf("ProxyJump leads through more than %d hosts", maxJumps)
		}
		// The last one named is the nearest to where we are; those before it are
		// its own way, else its configuration is.
		before, name := "", jump
		if i := strings.LastIndexByte(jump, ','); i >= 0 {
			before, name = jump[:i], jump[i+1:]
		}
		next, err := r.jump(strings.TrimSpace(name), me)
		if err != nil {
			return err
		}
		next.timeout, next.passphrase = h.timeout, h.passphrase // which costs nothing to try
		r.hops = append([]*hop{next}, r.hops...)
		if jump = before; jump == "" {
			jump = next.jump
		}
	}
	return nil
}

// jump reads "[user@]host[:port]".
func (r *route) jump(text string, me local) (*hop, error) {
	text = strings.TrimPrefix(text, "ssh://")
	user, host, named := strings.Cut(text, "@")
	if !named {
		user, host = "", text
	}
	port := ""
	if name, p, err := net.SplitHostPort(host); err == nil {
		host, port = name, p
	} else {
		host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	}
	h, err := r.hop(host, user, me)
	if err == nil && port != "" {
		h.setPort(port)
	}
	return h, err
}

func (r *route) hop(host, user string, me local) (*hop, error) {
	c, err := readConfig(host, me)
	if err != nil {
		return nil, err
	}
	r.warnings = append(r.warnings, c.warnings...)
	return newHop(c, user, me)
}

func (h *hop) setPort(port string) {
	if h.nameInFile == h.address() {
		h.nameInFile = net.JoinHostPort(h.host, port)
	}
	h.port = port
}

// override applies the driver block.
func (h *hop) override(v schema.Values, me local) error {
	if n := v.Int(attrPort); n > 0 {
		h.setPort(strconv.FormatInt(n, 10))
	}
	if file := v.String(attrKnownHosts); file != "" {
		h.knownHosts = []string{h.expand(file, me)}
	}
	if file := v.String(attrIdentityFile); file != "" {
		h.identities, h.certificates, h.named, h.identitiesOnly = []string{h.expand(file, me)}, nil, true, true
	}
	h.passphrase = v.String(attrPassphrase)
	if t := v.Duration(attrConnectTimeout); t > 0 {
		h.timeout = t
	}
	if t := v.Duration(attrKeepalive); t > 0 {
		h.keepalive = t
	}
	if text := v.String(attrHostKey); text != "" {
		p, err := parsePin(text)
		if err != nil {
			return err
		}
		h.pin = p
	}
	return nil
}
