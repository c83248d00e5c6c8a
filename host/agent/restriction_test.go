package agent_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/crypto/ssh"

	"github.com/gsyncd/gsyncd-host/config/resurl"
	"github.com/gsyncd/gsyncd-host/host/agent"
)

func parseURL(t *testing.T, raw string) resurl.URL {
	t.Helper()
	u, err := resurl.Parse(raw)
	must(t, err)
	return u
}

const token = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

func TestAdmit(t *testing.T) {
	restriction := agent.Restriction{Roots: []resurl.URL{parseURL(t, "/srv/m"), parseURL(t, "/my data")}}
	for command, want := range map[string]string{ // "" is admitted
		"gsyncd-host agent --silence 1m0s -- /srv/m":            "",
		"gsyncd-host agent --silence 1m0s -- file:///srv/m":     "",
		"gsyncd-host agent -- file:///srv/m/":                   "",
		"gsyncd-host agent -- file:///my%20data":                "",
		"gsyncd-host agent -- '/my data'":                       "",
		"sudo ~/bin/gsyncd-host agent -- /srv/m":                "",
		"gsyncd-host agent --silence=5s -- /srv/m":              "",
		"gsyncd-host agent -- /srv/m/sub":                       "not a root",
		"gsyncd-host agent -- /srv/m/../m2":                     "not a root",
		"gsyncd-host agent -- /srv":                             "not a root",
		"gsyncd-host agent -- /":                                "not a root",
		"gsyncd-host agent -- ssh://h:/srv/m":                   "not a root",
		"gsyncd-host agent -- gluster://h:v":                    "not a root",
		"gsyncd-host agent -- srv/m":                            "neither an absolute path nor a URL",
		"gsyncd-host agent -- /srv/m /srv/m":                    "does not start an agent",
		"gsyncd-host agent --":                                  "does not start an agent",
		"gsyncd-host agent":                                     "does not start an agent",
		"agent -- /srv/m":                                       "does not start an agent",
		"gsyncd-host run /srv/m /tmp":                           "does not start an agent",
		"gsyncd-host agent --root / -- /srv/m":                  "no option --root",
		"gsyncd-host agent --max-bytes 1TiB -- /srv/m":          "no option --max-bytes",
		"gsyncd-host agent --silence 1ms -- /srv/m":             "--silence is no duration",
		"gsyncd-host agent --silence 5s --silence 9s -- /srv/m": "given twice",
		"gsyncd-host agent --silence":                           "has no value",
		"gsyncd-host agent -- /srv/m; rm -rf /":                 "not written as",
		"gsyncd-host agent -- /srv/m\nrm -rf /":                 "not written as",
		"gsyncd-host agent -- $(rm -rf /)":                      "not written as",
		"gsyncd-host agent -- `id`":                             "not written as",
		"gsyncd-host agent -- \"/srv/m\"":                       "not written as",
		"gsyncd-host agent -- /srv/m\\":                         "not written as",
		"gsyncd-host agent -- '/srv/m":                          "not written as",
		"gsyncd-host agent -- '/srv'/m":                         "not written as",
		"gsyncd-host agent -- /srv/'m'":                         "not written as",
		"gsyncd-host agent -- /srv/*":                           "not written as",
		"gsyncd-host agent -- /srv/m >/etc/passwd":              "not written as",
		"gsyncd-host agent\t-- /srv/m":                          "not written as",
		"gsyncd-host agent -- /srv/m & sh":                      "not written as",
		"sh -c 'rm -rf /'":                                      "does not start an agent",
		"sh -c 'gsyncd-host agent -- /srv/m'":                   "does not start an agent",
		"rm -rf /":                                              "does not start an agent",
		"scp -t /srv/m":                                         "does not start an agent",
		"/usr/lib/openssh/sftp-server":                          "does not start an agent",
		"rsync --server -logDtpre.iLsfxC . /srv/m":              "does not start an agent",
		"":                             "there is no shell for this key",
		" ":                            "does not start an agent",
		"gsyncd-host agent --resume x": "no session's token",
		"gsyncd-host agent --resume ../../" + token:                                            "no session's token",
		"gsyncd-host agent --rsync " + token + " -- --server":                                  "does not start an agent",
		"gsyncd-host agent --rsync " + token + " --dir .. -- x":                                "no job's directory",
		"gsyncd-host agent --rsync " + token + " --dir d -- x":                                 "no job's directory",
		"gsyncd-host agent --dir .gsyncd-host.job-X -- /srv/m":                                 "does not start an agent",
		"gsyncd-host agent --resume " + token + " -- /srv/m":                                   "does not start an agent",
		"gsyncd-host agent --rsync " + token + " --dir .gsyncd-host.x/../.. -- --server . out": "no job's directory",
		"gsyncd-host agent --silence 5s -- /srv/m/" + strings.Repeat("x", 5000):                "not a root",
	} {
		req, err := restriction.Admit(command, "")
		switch {
		case want == "" && (err != nil || req.Kind != agent.RequestServe):
			t.Errorf("%q: %v", command, err)
		case want == "":
		case err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "this key may only"):
			t.Errorf("%q: %v, want %q", command, err, want)
		case strings.Contains(err.Error(), "\n"):
			t.Errorf("%q: more than a line: %v", command, err)
		}
	}
}

// TestAdmitJoins asks for what goes on in a session that is there.
func TestAdmitJoins(t *testing.T) {
	rsync := "gsyncd-host agent --rsync " + token + " --dir .gsyncd-host.job-X -- --server -Ie.LsfxCIvu . out/"
	for _, c := range []struct {
		policy  agent.Policy
		command string
		want    string // "" or what Landlock alone could hinder
	}{
		{agent.Policy{}, "gsyncd-host agent --resume " + token, ""},
		{agent.Policy{Access: agent.ReadOnly}, "gsyncd-host agent --resume " + token, ""},
		{agent.Policy{}, rsync, ""},
		{agent.Policy{Access: agent.AppendOnly}, rsync, ""},
		{agent.Policy{MaxBytes: 1}, rsync, "cannot be counted"},
		{agent.Policy{Access: agent.ReadOnly}, rsync, "may only read"},
	} {
		r := agent.Restriction{Roots: []resurl.URL{parseURL(t, "/srv/m")}, Policy: c.policy}
		req, err := r.Admit(c.command, "")
		switch {
		case req.Kind != agent.RequestResume && req.Kind != agent.RequestRsync:
			t.Errorf("%+v: kind %d", c, req.Kind)
		case err == nil && c.want == "" && req.Token == token, err != nil && c.want == "" && strings.Contains(err.Error(), "Landlock"):
		case err == nil || c.want == "" || !strings.Contains(err.Error(), c.want):
			t.Errorf("%+v: %v", c, err)
		}
	}
}

func TestParseRequest(t *testing.T) {
	line := "gsyncd-host agent --rsync " + token + " --dir .gsyncd-host.job-X -- --server '-logDtpre.iLsfxC v' . 'it'\\''s'"
	req, err := agent.ParseRequest(line)
	must(t, err)
	want := agent.Request{Kind: agent.RequestRsync, Token: token, Dir: ".gsyncd-host.job-X", Args: []string{"--server", "-logDtpre.iLsfxC v", ".", "it's"}}
	if diff := cmp.Diff(want, req, cmp.Comparer(func(a, b resurl.URL) bool { return a == b })); diff != "" {
		t.Error(diff)
	}
	req, err = agent.ParseRequest("gsyncd-host agent --resume " + token)
	if err != nil || req.Kind != agent.RequestResume || req.Token != token {
		t.Errorf("%v, %v", req, err)
	}
}

// FuzzWords holds the splitter to the shell: what it accepts is what sh makes
// of it, and what is quoted it gives back.
func FuzzWords(f *testing.F) {
	for _, s := range []string{"a", "it's", "''", `'\''`, "a b 'c d'", "$x", "a'b'", `'a'\'''\''b'`, "\\'", "'\n'"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if strings.IndexByte(s, 0) >= 0 {
			return
		}
		back, err := agent.Words("x " + agent.Quote(s) + " " + agent.Quote(s))
		if err != nil || !slices.Equal(back, []string{"x", s, s}) {
			t.Fatalf("%q becomes %q, %v", s, back, err)
		}
		list, err := agent.Words(s)
		if err != nil || strings.Contains(s, "~") {
			return
		}
		out, err := exec.Command("/bin/sh", "-c", `printf '%s\0' x `+s).Output()
		must(t, err)
		if want := "x\x00" + strings.Join(append(list, ""), "\x00"); string(out) != want {
			t.Fatalf("%q is %q to sh and %q here", s, out, want)
		}
	})
}

func TestFrom(t *testing.T) {
	for _, c := range []struct {
		from, connection string
		ok               bool
	}{
		{"192.0.2.0/24", "192.0.2.9 4000 198.51.100.1 22", true},
		{"192.0.2.0/24", "192.0.3.9 4000 198.51.100.1 22", false},
		{"192.0.2.7", "192.0.2.7 1 2 3", true},
		{"192.0.2.7", "192.0.2.8 1 2 3", false},
		{"192.0.2.7/24", "192.0.2.200 1 2 3", true},
		{"192.0.2.0/24", "::ffff:192.0.2.9 1 2 3", true},
		{"::ffff:192.0.2.0/120", "192.0.2.9 1 2 3", true},
		{"::ffff:192.0.2.0/120", "192.0.3.9 1 2 3", false},
		{"2001:db8::/32", "2001:db8::1 1 2 3", true},
		{"fe80::/10", "fe80::1%eth0 1 2 3", true},
		{"2001:db8::/32, 10.0.0.0/8", "10.1.1.1 1 2 3", true},
		{"0.0.0.0/0", "2001:db8::1 1 2 3", false},
		{"0.0.0.0/0", "", false},
		{"0.0.0.0/0", "UNKNOWN 1 2 3", false},
		{"0.0.0.0/0", "192.0.2.1,192.0.2.2 1", false},
	} {
		networks, err := agent.ParseNetworks([]string{c.from})
		must(t, err)
		r := agent.Restriction{Roots: []resurl.URL{parseURL(t, "/srv/m")}, From: networks}
		_, err = r.Admit("gsyncd-host agent -- /srv/m", c.connection)
		if (err == nil) != c.ok {
			t.Errorf("%s from %q: %v", c.from, c.connection, err)
		}
	}
	for _, bad := range []string{"", ",", "x", "10.0.0.0/33", "10.0.0.0/8,y", "far.example.com", "::ffff:0:0/80", "fe80::1%eth0"} {
		if _, err := agent.ParseNetworks([]string{bad}); err == nil {
			t.Errorf("%q is a network", bad)
		}
	}
}

func TestRootsApart(t *testing.T) {
	dir := t.TempDir()
	must(t, os.Mkdir(filepath.Join(dir, "a"), 0o755))
	must(t, os.Symlink("a", filepath.Join(dir, "b")))
	for _, pair := range [][2]string{{"a", "a/sub"}, {"a", "a"}, {"b/sub", "a"}} {
		r := agent.Restriction{Roots: []resurl.URL{parseURL(t, filepath.Join(dir, pair[0])), parseURL(t, filepath.Join(dir, pair[1]))}}
		if err := r.Check(); err == nil || !strings.Contains(err.Error(), "overlap") {
			t.Errorf("%q: %v", pair, err)
		}
	}
	r := agent.Restriction{Roots: []resurl.URL{parseURL(t, dir+"/a"), parseURL(t, dir+"/ab")}}
	must(t, r.Check())
}

const aKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIF251GLPrsjo+c5KHDAERkrKNaqlpX4Grx9kmmJkna4p"

// TestLine reads its own lines back as an ssh server and a shell would.
func TestLine(t *testing.T) {
	key, err := agent.ParseKey([]byte("# mine\n" + aKey + " me@here\x1b\n\n"))
	must(t, err)
	for _, root := range []string{"/srv/m", "/a b", `/q"uo\te`, "/it's", "/new\nline", "/\xff", `/back\`, "/$(id)", "/é"} {
		networks, err := agent.ParseNetworks([]string{"10.1.2.3/8", "::1"})
		must(t, err)
		u := parseURL(t, root)
		r := agent.Restriction{Roots: []resurl.URL{u}, From: networks, Policy: agent.Policy{Access: agent.NoDelete, MaxBytes: 5}}
		line := r.Line("/opt/my programs/gsyncd-host", key)
		public, comment, options, rest, err := ssh.ParseAuthorizedKey([]byte(line))
		if err != nil || strings.Contains(line, "\n") || len(rest) > 0 || comment != "me@here?" || string(public.Marshal()) != string(key.Public.Marshal()) {
			t.Fatalf("%s: %v, %q", line, err, comment)
		}
		if len(options) != 3 || options[0] != "restrict" || options[1] != `from="10.0.0.0/8,::1/128"` {
			t.Fatalf("options %q", options)
		}
		command := strings.TrimSuffix(strings.TrimPrefix(options[2], `command="`), `"`)
		out, err := exec.Command("/bin/sh", "-c", `printf '%s\0' `+strings.ReplaceAll(command, `\"`, `"`)).Output()
		must(t, err)
		got := strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
		want := []string{"/opt/my programs/gsyncd-host", "agent", "--root", "", "--from", "10.0.0.0/8,::1/128", "--no-delete", "--max-bytes", "5B"}
		if len(got) != len(want) || parseURL(t, got[3]) != u {
			t.Fatalf("%s: %q", root, got)
		}
		got[3] = ""
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	}
}

func TestBadKey(t *testing.T) {
	for text, want := range map[string]string{
		"":      "no public key",
		"hello": "no public key",
		"-----BEGIN OPENSSH PRIVATE KEY-----\nx\n-----END OPENSSH PRIVATE KEY-----": "private key",
		`command="x",no-pty ` + aKey:    "has options",
		aKey + "\n" + aKey:              "more than one line",
		"ssh-ed25519 AAAAC3NzaC1 short": "no public key",
	} {
		if _, err := agent.ParseKey([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}
