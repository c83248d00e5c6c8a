package ssh

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/pem"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
	"golang.org/x/crypto/ssh/knownhosts"
)

// private makes a key of each kind.
func private(t *testing.T, kind string) any {
	t.Helper()
	var key any
	var err error
	switch kind {
	case "rsa":
		key, err = rsa.GenerateKey(rand.Reader, 2048)
	case "ecdsa":
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	default:
		_, key, err = ed25519.GenerateKey(rand.Reader)
	}
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func signer(t *testing.T, key any) ssh.Signer {
	t.Helper()
	s, err := ssh.NewSignerFromKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func save(t *testing.T, path string, key any, passphrase string) {
	t.Helper()
	block, err := ssh.MarshalPrivateKey(key, "")
	if err != nil {
		t.Fatal(err)
	}
	write(t, path, string(pem.EncodeToMemory(block)))
	if passphrase == "" {
		return
	}
	// With one round: the usual 16 take seconds under the race detector, each time.
	if out, err := exec.Command("ssh-keygen", "-q", "-p", "-a", "1", "-P", "", "-N", passphrase, "-f", path).CombinedOutput(); err != nil {
		t.Fatalf("ssh-keygen: %v\n%s", err, out)
	}
}

// sshAgent serves keys as ssh-agent does.
func sshAgent(t *testing.T, keys ...any) string {
	t.Helper()
	ring := agent.NewKeyring()
	for _, k := range keys {
		if err := ring.Add(agent.AddedKey{PrivateKey: k}); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(t.TempDir(), "a")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { _ = agent.ServeAgent(ring, c) }()
		}
	}()
	return path
}

func TestKeys(t *testing.T) {
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	locked, held, certified := private(t, ""), private(t, "rsa"), private(t, "ecdsa")
	save(t, in("rsa"), private(t, "rsa"), "")
	save(t, in("locked"), locked, "secret")
	save(t, in("held"), held, "secret")
	save(t, in("certified"), certified, "")
	cert := &ssh.Certificate{Key: signer(t, certified).PublicKey(), CertType: ssh.UserCert, ValidBefore: ssh.CertTimeInfinity}
	if err := cert.SignCert(rand.Reader, signer(t, private(t, ""))); err != nil {
		t.Fatal(err)
	}
	write(t, in("certified-cert.pub"), string(ssh.MarshalAuthorizedKey(cert)))
	write(t, in("broken"), "no key")
	extra := private(t, "")
	h := &hop{
		identities: []string{in("rsa"), in("locked"), in("held"), in("certified"), in("missing"), in("broken")}, named: true,
		authSock: sshAgent(t, held, extra), timeout: defaultTimeout,
	}
	k := openKeys(h)
	defer k.close()
	var kinds []string
	for _, s := range k.signers {
		kinds = append(kinds, s.PublicKey().Type())
	}
	want := "ecdsa-sha2-nistp256-cert-v01@openssh.com ssh-rsa ssh-rsa ecdsa-sha2-nistp256 ssh-ed25519"
	if got := strings.Join(kinds, " "); got != want {
		t.Errorf("keys %s, want %s", got, want)
	}
	notes := strings.Join(k.notes, "\n")
	for _, want := range []string{"locked has a passphrase", "ssh-add " + in("locked"), "missing: no such file", "read key " + in("broken")} {
		if !strings.Contains(notes, want) {
			t.Errorf("not noted: %s\n%s", want, notes)
		}
	}
	h.identitiesOnly = true
	only := openKeys(h)
	defer only.close()
	if find(only.signers, signer(t, extra).PublicKey()) != nil {
		t.Error("a key of the ssh agent that was not asked for")
	}
}

// TestHostKeys judges the keys of hosts by files of known hosts.
func TestHostKeys(t *testing.T) {
	good, other, rsaKey := signer(t, private(t, "")).PublicKey(), signer(t, private(t, "")).PublicKey(), signer(t, private(t, "rsa")).PublicKey()
	file := filepath.Join(t.TempDir(), "known")
	hashed := knownhosts.HashHostname(knownhosts.Normalize("far:2222"))
	write(t, file, strings.Join([]string{
		strings.Replace(knownhosts.Line([]string{"x"}, good), "x ", hashed+" ", 1),
		knownhosts.Line([]string{"alias"}, rsaKey),
		"@revoked * " + strings.TrimSpace(string(ssh.MarshalAuthorizedKey(other))), "",
	}, "\n"))
	fingerprint := func(k ssh.PublicKey) *pin { return &pin{fingerprint: ssh.FingerprintSHA256(k)} }
	for _, c := range []struct {
		name string
		at   string
		pin  *pin
		key  ssh.PublicKey
		want string
	}{
		{name: "hashed", at: "far:2222", key: good},
		{name: "another port", at: "far:22", key: good, want: "the host is not known"},
		{name: "changed", at: "far:2222", key: rsaKey, want: file + ":1 has ssh-ed25519 " + ssh.FingerprintSHA256(good)},
		{name: "revoked", at: "far:2222", key: other, want: file + ":3 revokes"},
		{name: "pinned", at: "new:22", pin: fingerprint(good), key: good},
		{name: "not the pinned one", at: "far:2222", pin: fingerprint(rsaKey), key: good, want: "but host_key says " + ssh.FingerprintSHA256(rsaKey)},
		{name: "alias", at: "alias:22", key: rsaKey},
	} {
		h := &hop{alias: "far", host: "far", port: "2222", user: "me", nameInFile: c.at, knownHosts: []string{file, file + "2"}, pin: c.pin, strict: "yes"}
		k, err := newHostKeys(h)
		if err != nil {
			t.Fatal(err)
		}
		switch err := k.check("", textAddr("127.0.0.1:22"), c.key); {
		case c.want == "" && err != nil:
			t.Errorf("%s: %v", c.name, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
	k, err := newHostKeys(&hop{nameInFile: "alias:22", knownHosts: []string{file}})
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(k.algorithms(), " "); got != "rsa-sha2-512 rsa-sha2-256" {
		t.Errorf("asks for %s", got)
	}
}

func TestPin(t *testing.T) {
	key := signer(t, private(t, "")).PublicKey()
	for _, text := range []string{ssh.FingerprintSHA256(key), string(ssh.MarshalAuthorizedKey(key))} {
		p, err := parsePin(text)
		if err != nil || p.fingerprint != ssh.FingerprintSHA256(key) {
			t.Errorf("%s: %+v, %v", text, p, err)
		}
	}
}
