package ssh

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/schema"
)

// newLocal makes a user whose ssh configuration is text.
func newLocal(t *testing.T, text string) local {
	t.Helper()
	me := local{user: "me", home: t.TempDir(), systemDir: t.TempDir()}
	write(t, filepath.Join(me.home, ".ssh", "config"), text)
	return me
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestConfig(t *testing.T) {
	me := newLocal(t, `# a comment
Include more
Host *.example.com !old.example.com
  User = anna
  Port 2200
Host=far
  HostName  "%h.example.net"
  IdentityFile ~/.ssh/far_%r
  IdentityFile ~/.ssh/other
  IdentitiesOnly yes
  UserKnownHostsFile ~/known1 ~/known2
  ServerAliveInterval 5
  ConnectTimeout 7
Match user nobody
  Port 1
Match all
  User last
`)
	write(t, filepath.Join(me.home, ".ssh", "more"), "Host far\n  Port 2300\nHost other\n  Port 1\n")
	write(t, filepath.Join(me.systemDir, "ssh_config"), "Host *\n  Port 9\n  StrictHostKeyChecking accept-new\n")
	hopOf := func(alias, user string) *hop {
		t.Helper()
		c, err := readConfig(alias, me)
		if err != nil {
			t.Fatal(err)
		}
		if len(c.warnings) != 1 || !strings.Contains(c.warnings[0], "config:14: Match is not supported") {
			t.Errorf("warnings: %q", c.warnings)
		}
		h, err := newHop(c, user, me)
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	h := hopOf("far", "")
	in := func(name string) string { return filepath.Join(me.home, name) }
	want := &hop{
		alias: "far", host: "far.example.net", port: "2300", user: "last",
		identities: []string{in(".ssh/far_last"), in(".ssh/other")}, named: true, identitiesOnly: true,
		knownHosts: []string{in("known1"), in("known2"), me.systemDir + "/ssh_known_hosts", me.systemDir + "/ssh_known_hosts2"},
		nameInFile: "far.example.net:2300", strict: "accept-new", timeout: 7 * time.Second, keepalive: 15 * time.Second,
	}
	if diff := cmp.Diff(want, h, cmp.AllowUnexported(hop{})); diff != "" {
		t.Error(diff)
	}
	if h := hopOf("a.example.com", "bert"); h.user != "bert" || h.port != "2200" || h.strict != "accept-new" {
		t.Errorf("a: %+v", h)
	}
	if h := hopOf("old.example.com", ""); h.user != "last" || h.port != "9" {
		t.Errorf("old: %+v", h)
	}
}

func TestConfigErrors(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"Host far\n  IdentityFile \"x\n", "config:2: a quote is not closed"},
		{"Port\n", "config:1: nothing follows port"},
		{"Include config\n", "files include each other too deep"},
		{"ConnectTimeout soon\n", `connecttimeout "soon" is no number`},
		{"StrictHostKeyChecking maybe\n", `"maybe" is not known`},
		{"ProxyCommand nc\n", "not supported; use ProxyJump"},
		{"ProxyJump far\n", "more than 8 hosts"},
	} {
		d := &driver{me: newLocal(t, c.text)}
		_, diags := d.route(request("far:file:///x", nil))
		if len(diags) != 1 || !strings.Contains(diags[0].Summary, c.want) || diags[0].Detail == "" {
			t.Errorf("%q: %+v, want %q", c.text, diags, c.want)
		}
	}
}

func request(rest string, v schema.Values) sdk.OpenRequest {
	return sdk.OpenRequest{Address: sdk.Address{Scheme: "ssh", Rest: rest}, Role: sdk.Secondary, Config: v}
}

func TestRoute(t *testing.T) {
	d := &driver{me: newLocal(t, "Host far\n  ProxyJump b@one,two:2222\nHost one\n  ProxyJump zero\n  Port 11\n")}
	r, diags := d.route(request("anna@far:file:///x", schema.Values{
		"port": int64(2023), "identity_file": "~/k", "keepalive": 9 * time.Second, "remote_agent": "~/bin/gsyncd-host", "remote_options": []string{"--x=it's"},
	}))
	if len(diags) > 0 {
		t.Fatal(diags)
	}
	var way []string
	for _, h := range r.hops {
		way = append(way, h.user+"@"+h.address()+" "+h.nameInFile)
	}
	want := []string{"me@zero:22 zero:22", "b@one:11 one:11", "me@two:2222 two:2222", "anna@far:2023 far:2023"}
	if diff := cmp.Diff(want, way); diff != "" {
		t.Error(diff)
	}
	if got, want := commandLine(r, r.last().keepalive), `~/bin/gsyncd-host agent --silence 9s '--x=it'\''s' -- file:///x`; got != want {
		t.Errorf("command %s, want %s", got, want)
	}
	if got := r.last().identities; len(got) != 1 || got[0] != filepath.Join(d.me.home, "k") {
		t.Errorf("keys %q", got)
	}
}

func TestAddress(t *testing.T) {
	for _, c := range []struct {
		rest string
		want address
		ok   bool
	}{
		{"h:file:///a:b", address{host: "h", inner: "file:///a:b"}, true},
		{"u@h:gluster://s:v", address{user: "u", host: "h", inner: "gluster://s:v"}, true},
		{"h", address{}, false},
		{"h:", address{}, false},
		{"@h:file:///a", address{}, false},
		{"-oProxyCommand=x:file:///a", address{}, false},
	} {
		got, err := parseAddress(c.rest)
		if got != c.want || (err == nil) != c.ok {
			t.Errorf("%s: %+v, %v", c.rest, got, err)
		}
	}
}

func TestSettings(t *testing.T) {
	for name, value := range map[string]any{
		"port": int64(0), "connect_timeout": -time.Second, "keepalive": time.Second, "host_key": "SHA256:short",
	} {
		diags := (&driver{me: newLocal(t, "")}).Check(t.Context(), request("h:file:///x", schema.Values{name: value}))
		if len(diags) != 1 || diags[0].Attribute != name || diags[0].Detail == "" {
			t.Errorf("%s: %+v", name, diags)
		}
	}
}

func FuzzConfigLine(f *testing.F) {
	f.Add(`Host "a b" c # d`)
	f.Add(`Port=22`)
	f.Add(`=00`)
	f.Fuzz(func(t *testing.T, line string) {
		keyword, args, err := splitLine(line)
		if err == nil && keyword == "" && len(args) > 0 {
			t.Errorf("arguments without a keyword: %q", args)
		}
		matches(args, "host")
	})
}
