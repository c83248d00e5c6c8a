package ssh

import (
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// hop is one host to log in to, with all that it takes.
type hop struct {
	alias string // as the user called it
	host  string
	port  string
	user  string

	identities     []string // files of private keys
	certificates   []string // files of certificates, beside those next to the keys
	named          bool     // the identities were asked for, not guessed
	identitiesOnly bool
	authSock       string // of the ssh agent, or ""
	passphrase     string // of keys in files, "" if not known

	knownHosts []string // files; the first is where new keys go
	nameInFile string   // under which the host stands there, with its port
	pin        *pin     // the only host key that is accepted, or nil
	strict     string   // yes, accept-new or no

	timeout   time.Duration
	keepalive time.Duration
	jump      string // ProxyJump, "" for none
}

// address is where to connect to.
func (h *hop) address() string { return net.JoinHostPort(h.host, h.port) }

// String names the hop in messages.
func (h *hop) String() string {
	s := h.user + "@" + h.alias
	if h.alias != h.host || h.port != "22" {
		s += " (" + h.address() + ")"
	}
	return s
}

// newHop makes a hop of what the configuration says.
func newHop(c *sshConfig, user string, me local) (*hop, error) {
	h := &hop{alias: c.alias, host: c.alias, port: "22", user: user, timeout: defaultTimeout, keepalive: defaultKeepalive}
	if name := c.get("hostname"); name != "" {
		h.host = strings.NewReplacer("%%", "%", "%h", c.alias).Replace(name)
	}
	if p := c.get("port"); p != "" {
		h.port = p
	}
	if h.user == "" {
		h.user = c.get("user")
	}
	if h.user == "" {
		h.user = me.user
	}
	h.jump = c.get("proxyjump")
	if strings.EqualFold(h.jump, "none") {
		h.jump = ""
	}
	if cmd := c.get("proxycommand"); cmd != "" && !strings.EqualFold(cmd, "none") && h.jump == "" {
		return nil, fmt.Errorf("ssh's configuration has a ProxyCommand for %s, which is not supported; use ProxyJump", c.alias)
	}
	if err := h.times(c); err != nil {
		return nil, err
	}
	h.keys(c, me)
	return h, h.trust(c, me)
}

func (h *hop) times(c *sshConfig) error {
	seconds := func(keyword string, otherwise int) (int, error) {
		text := c.get(keyword)
		if text == "" || strings.EqualFold(text, "none") {
			return otherwise, nil
		}
		n, err := strconv.Atoi(strings.TrimSuffix(text, "s"))
		if err != nil || n < 0 {
			return 0, fmt.Errorf("ssh's configuration for %s: %s %q is no number of seconds", c.alias, keyword, text)
		}
		return n, nil
	}
	n, err := seconds("connecttimeout", 0)
	if err != nil {
		return err
	}
	if n > 0 {
		h.timeout = time.Duration(n) * time.Second
	}
	every, err := seconds("serveraliveinterval", 0)
	if err != nil {
		return err
	}
	count, err := seconds("serveralivecountmax", 3)
	if err != nil {
		return err
	}
	if every > 0 && count > 0 {
		h.keepalive = max(time.Duration(every*count)*time.Second, minKeepalive)
	}
	return nil
}

func (h *hop) keys(c *sshConfig, me local) {
	h.identitiesOnly = strings.EqualFold(c.get("identitiesonly"), "yes")
	h.authSock = me.authSock
	switch at := c.get("identityagent"); {
	case strings.EqualFold(at, "none"):
		h.authSock = ""
	case at != "" && at != "SSH_AUTH_SOCK":
		h.authSock = h.expand(at, me)
	}
	for _, file := range c.values["identityfile"] {
		h.named = true
		if !strings.EqualFold(file, "none") {
			h.identities = append(h.identities, h.expand(file, me))
		}
	}
	for _, file := range c.values["certificatefile"] {
		h.certificates = append(h.certificates, h.expand(file, me))
	}
	if !h.named {
		for _, name := range []string{"id_ed25519", "id_ecdsa", "id_rsa"} {
			h.identities = append(h.identities, filepath.Join(me.home, ".ssh", name))
		}
	}
}

func (h *hop) trust(c *sshConfig, me local) error {
	files := func(keyword string, otherwise ...string) {
		if v := c.values[keyword]; v != nil {
			otherwise = v
		}
		for _, file := range otherwise {
			if !strings.EqualFold(file, "none") {
				h.knownHosts = append(h.knownHosts, h.expand(file, me))
			}
		}
	}
	files("userknownhostsfile", "~/.ssh/known_hosts", "~/.ssh/known_hosts2")
	files("globalknownhostsfile", filepath.Join(me.systemDir, "ssh_known_hosts"), filepath.Join(me.systemDir, "ssh_known_hosts2"))
	h.nameInFile = h.address()
	if alias := c.get("hostkeyalias"); alias != "" {
		h.nameInFile = net.JoinHostPort(alias, "22")
	}
	switch s := strings.ToLower(c.get("stricthostkeychecking")); s {
	case "", "yes", "ask", "true":
		h.strict = "yes" // there is nobody to ask
	case "accept-new":
		h.strict = s
	case "no", "off", "false":
		h.strict = "no"
	default:
		return fmt.Errorf("ssh's configuration for %s: StrictHostKeyChecking %q is not known", c.alias, s)
	}
	return nil
}

// expand replaces "~" and the tokens of a file's name.
func (h *hop) expand(name string, me local) string {
	name = expandHome(name, me.home)
	return strings.NewReplacer("%%", "%", "%d", me.home, "%u", me.user, "%r", h.user, "%h", h.host, "%n", h.alias, "%p", h.port).Replace(name)
}
