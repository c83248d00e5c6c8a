package ssh

import (
	"path/filepath"
	"testing"

	"golang.org/x/crypto/ssh/knownhosts"

	"github.com/google/go-cmp/cmp"
)

func TestAddressIPv6(t *testing.T) {
	for rest, want := range map[string]address{
		"h:file:///d":                  {host: "h", inner: "file:///d"},
		"u@h:file:///a@[b]:c":          {user: "u", host: "h", inner: "file:///a@[b]:c"},
		"u@[::1]:file:///d":            {user: "u", host: "::1", inner: "file:///d"},
		"[fe80::1%eth0]:gluster://s:v": {host: "fe80::1%eth0", inner: "gluster://s:v"},
	} {
		got, err := parseAddress(rest)
		if err != nil {
			t.Errorf("%q: %v", rest, err)
		}
		if d := cmp.Diff(want, got, cmp.AllowUnexported(address{})); d != "" {
			t.Errorf("%q: %s", rest, d)
		}
	}
	for _, rest := range []string{"", "h", "h:", "@h:/d", ":/d", "-h:/d", "u@-h:/d", "[::1]", "[::1]:", "[::1]x:/d", "[h]:/d", "[-x]:/d", "[10.0.0.1]:/d"} {
		if a, err := parseAddress(rest); err == nil {
			t.Errorf("%q is %+v", rest, a)
		}
	}
}

// TestKnownIPv6 finds keys of addresses in all the forms in which ssh writes
// them, and writes such itself.
func TestKnownIPv6(t *testing.T) {
	key := signer(t, private(t, "ed25519")).PublicKey()
	line := knownhosts.Line([]string{"x"}, key)[1:]
	for _, c := range []struct{ name, port, known string }{
		{"::1", "22", "::1"},
		{"::1", "2222", "[::1]:2222"},
		{"::1", "22", knownhosts.HashHostname("::1")},
		{"::1", "2222", knownhosts.HashHostname("[::1]:2222")},
		{"fe80::1%eth0", "22", "fe80::1%eth0"},
	} {
		home := t.TempDir()
		me := local{user: "me", home: home, systemDir: filepath.Join(home, "etc")}
		h, err := newHop(&sshConfig{alias: c.name, home: home, values: map[string][]string{"port": {c.port}, "stricthostkeychecking": {"accept-new"}}}, "", me)
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(home, ".ssh", "known_hosts")
		write(t, file, c.known+line+"\n")
		trust, err := newHostKeys(h)
		if err != nil {
			t.Fatal(err)
		}
		if err := trust.check("", textAddr(h.nameInFile), key); err != nil || trust.learned != "" {
			t.Errorf("%s is not known to %+v: %v", c.known, c, err)
		}

		write(t, file, "")
		for _, wantLearned := range []string{file, ""} {
			if trust, err = newHostKeys(h); err != nil {
				t.Fatal(err)
			}
			if err := trust.check("", textAddr(h.nameInFile), key); err != nil || trust.learned != wantLearned {
				t.Errorf("%+v: learned in %q, want %q: %v", c, trust.learned, wantLearned, err)
			}
		}
	}
}
