package ssh

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// pin is a host key that was named in the driver block.
type pin struct {
	fingerprint string // "SHA256:…"
	keyType     string // "" if not known
}

// parsePin reads a fingerprint or a line of a public key file.
func parsePin(text string) (*pin, error) {
	if f := strings.Fields(text); len(f) == 1 && strings.HasPrefix(f[0], "SHA256:") && len(f[0]) == len("SHA256:")+43 {
		return &pin{fingerprint: f[0]}, nil
	}
	key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(text))
	if err != nil {
		return nil, fmt.Errorf("read host_key: %w", err)
	}
	return &pin{fingerprint: ssh.FingerprintSHA256(key), keyType: key.Type()}, nil
}

// hostKeys judges the key that a host shows.
type hostKeys struct {
	hop     *hop
	known   ssh.HostKeyCallback
	refusal *sdk.Error // what was said to the host's key, if it was no
	learned string     // the file to which the key was added
	shown   bool       // a key was shown and taken
}

// newHostKeys reads the files of known hosts.
func newHostKeys(h *hop) (*hostKeys, error) {
	k := &hostKeys{hop: h}
	var files []string
	for _, file := range h.knownHosts {
		if _, err := os.Stat(file); err == nil {
			files = append(files, file)
		}
	}
	var err error
	if k.known, err = knownhosts.New(files...); err != nil {
		return nil, refuse(h, "a file of known hosts cannot be used; mend it: "+err.Error())
	}
	return k, nil
}

// algorithms are the kinds of key to ask the host for, those that are known
// first: a host has several keys, and a key that is not known proves nothing
// even if another is.
func (k *hostKeys) algorithms() []string {
	var types []string
	if k.hop.pin != nil {
		if k.hop.pin.keyType == "" {
			return nil
		}
		types = []string{k.hop.pin.keyType}
	} else {
		var want *knownhosts.KeyError
		if errors.As(k.known(k.hop.nameInFile, textAddr(k.hop.nameInFile), noKey{}), &want) {
			for _, w := range want.Want {
				types = append(types, w.Key.Type())
			}
		}
	}
	if len(types) == 0 {
		return nil
	}
	var out []string
	if k.authorities() {
		out = []string{ssh.CertAlgoED25519v01, ssh.CertAlgoECDSA256v01, ssh.CertAlgoECDSA384v01, ssh.CertAlgoECDSA521v01, ssh.CertAlgoRSASHA512v01, ssh.CertAlgoRSASHA256v01}
	}
	for _, t := range types {
		if t == ssh.KeyAlgoRSA {
			out = append(out, ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256)
		} else if !slices.Contains(out, t) {
			out = append(out, t)
		}
	}
	return out
}

// authorities reports whether certificates may be what is known.
func (k *hostKeys) authorities() bool {
	return slices.ContainsFunc(k.hop.knownHosts, func(file string) bool {
		data, err := os.ReadFile(file)
		return err == nil && bytes.Contains(data, []byte("@cert-authority"))
	})
}

// check is the callback of the handshake.
func (k *hostKeys) check(_ string, remote net.Addr, key ssh.PublicKey) error {
	if err := k.judge(remote, key); err != nil {
		k.refusal = err
		return err
	}
	k.shown = true
	return nil
}

func (k *hostKeys) judge(remote net.Addr, key ssh.PublicKey) *sdk.Error {
	h, shows := k.hop, show(key)
	if h.pin != nil {
		if ssh.FingerprintSHA256(key) != h.pin.fingerprint {
			return refuse(h, fmt.Sprintf("the host shows the key %s, but host_key says %s; if the host was set up anew, correct host_key, else somebody stands in between", shows, h.pin.fingerprint))
		}
		return nil
	}
	err := k.known(h.nameInFile, remote, key)
	var mismatch *knownhosts.KeyError
	var revoked *knownhosts.RevokedError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &revoked):
		return refuse(h, fmt.Sprintf("the host shows the key %s, which %s:%d revokes", shows, revoked.Revoked.Filename, revoked.Revoked.Line))
	case !errors.As(err, &mismatch):
		return refuse(h, "the host's key is not good: "+err.Error())
	case len(mismatch.Want) > 0:
		var has []string
		for _, w := range mismatch.Want {
			has = append(has, fmt.Sprintf("%s:%d has %s", w.Filename, w.Line, show(w.Key)))
		}
		return refuse(h, fmt.Sprintf("the host's key has changed: it shows %s, but %s; if the host was set up anew, remove that line and add the new key, else somebody stands in between", shows, strings.Join(has, ", ")))
	}
	switch h.strict {
	case "no":
		return nil
	case "accept-new":
		if err := k.learn(key); err != nil {
			return refuse(h, err.Error())
		}
		return nil
	}
	return refuse(h, fmt.Sprintf("the host is not known: it shows the key %s; compare that with what ssh-keygen -l prints there, then add it: ssh-keyscan -p %s %s >> %s", shows, h.port, h.host, k.file()))
}

// file is where keys of hosts are added.
func (k *hostKeys) file() string {
	if len(k.hop.knownHosts) == 0 {
		return "~/.ssh/known_hosts"
	}
	return k.hop.knownHosts[0]
}

// learn adds a key to the first file of known hosts.
func (k *hostKeys) learn(key ssh.PublicKey) error {
	if len(k.hop.knownHosts) == 0 {
		return errors.New("there is no file of known hosts to add the host's key to")
	}
	file := k.file()
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return fmt.Errorf("add the host's key: %w", err)
	}
	f, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("add the host's key: %w", err)
	}
	line := "\n" + knownhosts.Line([]string{knownhosts.Normalize(k.hop.nameInFile)}, key) + "\n"
	_, err = f.WriteString(line)
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("add the host's key: %w", err)
	}
	k.learned = file
	return nil
}

// show names a key.
func show(key ssh.PublicKey) string { return key.Type() + " " + ssh.FingerprintSHA256(key) }

// refuse is the error of a host that is not to be trusted.
func refuse(h *hop, msg string) *sdk.Error {
	return &sdk.Error{Kind: sdk.KindPermission, Op: "connect to " + h.String(), Msg: msg}
}

// noKey is a key that no host has, to ask which ones it is known by.
type noKey struct{}

var _ ssh.PublicKey = noKey{}

// Type implements [ssh.PublicKey].
func (noKey) Type() string { return "none" }

// Marshal implements [ssh.PublicKey].
func (noKey) Marshal() []byte { return nil }

// Verify implements [ssh.PublicKey].
func (noKey) Verify([]byte, *ssh.Signature) error { return errors.New("no key") }

// textAddr is an address as text.
type textAddr string

// Network implements [net.Addr].
func (textAddr) Network() string { return "tcp" }

// String implements [net.Addr].
func (a textAddr) String() string { return string(a) }
