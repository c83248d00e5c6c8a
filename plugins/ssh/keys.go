package ssh

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"github.com/gsyncd/gsyncd-host/sdk/schema"
)

// keyring is what a hop's user can log in with.
type keyring struct {
	signers []ssh.Signer
	notes   []string // why a key that was meant is not among them
	locked  []locked // keys with a passphrase that is not known
	agent   net.Conn // of the ssh agent, or nil
	asked   bool     // the server wanted to see the keys
}

// locked is a key that is there and cannot be used.
type locked struct{ file, note string }

// openKeys gathers the keys of files, and those of the ssh agent.
func openKeys(h *hop) *keyring {
	k := &keyring{}
	held := k.fromAgent(h)
	for _, file := range h.identities {
		k.fromFile(h, file, held)
	}
	for _, file := range h.certificates {
		k.certify(file)
	}
	if !h.identitiesOnly {
		for _, s := range held {
			k.add(s)
		}
	}
	return k
}

// close lets the ssh agent go.
func (k *keyring) close() {
	if k.agent != nil {
		_ = k.agent.Close()
	}
}

// show is the callback of the handshake.
func (k *keyring) show() ([]ssh.Signer, error) {
	k.asked = true
	return k.signers, nil
}

func (k *keyring) note(format string, args ...any) {
	k.notes = append(k.notes, fmt.Sprintf(format, args...))
}

// add takes a key, unless it is there already: a server allows few tries.
func (k *keyring) add(s ssh.Signer) {
	if find(k.signers, s.PublicKey()) == nil {
		k.signers = append(k.signers, s)
	}
}

func find(signers []ssh.Signer, key ssh.PublicKey) ssh.Signer {
	for _, s := range signers {
		if bytes.Equal(s.PublicKey().Marshal(), key.Marshal()) {
			return s
		}
	}
	return nil
}

func (k *keyring) fromAgent(h *hop) []ssh.Signer {
	if h.authSock == "" {
		return nil
	}
	conn, err := net.DialTimeout("unix", h.authSock, h.timeout)
	if err != nil {
		k.note("the ssh agent at %s does not answer", h.authSock)
		return nil
	}
	k.agent = conn
	held, err := agent.NewClient(conn).Signers()
	if err != nil {
		k.note("the ssh agent at %s does not tell its keys", h.authSock)
	}
	return held
}

// fromFile takes a private key and the certificate beside it. One with a
// passphrase must be in the ssh agent, or the passphrase known.
func (k *keyring) fromFile(h *hop, file string, held []ssh.Signer) {
	signer, public, err := readKey(file)
	switch {
	case errors.Is(err, fs.ErrNotExist) && !h.named:
		return
	case err != nil:
		k.note("%v", err)
		return
	case signer == nil && public != nil:
		signer = find(held, public)
	}
	if signer == nil {
		var why string
		if signer, why = unlock(file, h.passphrase); signer == nil {
			k.locked = append(k.locked, locked{file: file, note: why})
			k.notes = append(k.notes, why+": run ssh-add "+file+" first")
			return
		}
	}
	if cert := file + "-cert.pub"; exists(cert) {
		k.add(signer)
		k.certify(cert)
		return
	}
	k.add(signer)
}

// readKey reads a private key. Of one with a passphrase only the public part
// comes back, if it can be found.
func readKey(file string) (ssh.Signer, ssh.PublicKey, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, nil, fmt.Errorf("read key: %w", err)
	}
	signer, err := ssh.ParsePrivateKey(data)
	var locked *ssh.PassphraseMissingError
	switch {
	case err == nil:
		return signer, signer.PublicKey(), nil
	case !errors.As(err, &locked):
		return nil, nil, fmt.Errorf("read key %s: %w", file, err)
	case locked.PublicKey != nil:
		return nil, locked.PublicKey, nil
	}
	if data, err := os.ReadFile(file + ".pub"); err == nil {
		if public, _, _, _, err := ssh.ParseAuthorizedKey(data); err == nil {
			return nil, public, nil
		}
	}
	return nil, nil, nil
}

// unlock reads a private key with a passphrase, or tells why that cannot be done.
func unlock(file, passphrase string) (ssh.Signer, string) {
	if passphrase == "" {
		return nil, file + " has a passphrase, which is not known"
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err.Error()
	}
	signer, err := ssh.ParsePrivateKeyWithPassphrase(data, []byte(passphrase))
	switch {
	case errors.Is(err, x509.IncorrectPasswordError):
		return nil, "the passphrase given does not open " + file
	case err != nil:
		return nil, fmt.Sprintf("read key %s: %v", file, err)
	}
	return signer, ""
}

// certify puts a certificate in front of the keys, if the key to it is there.
func (k *keyring) certify(file string) {
	data, err := os.ReadFile(file)
	if err != nil {
		k.note("read certificate: %v", err)
		return
	}
	public, _, _, _, err := ssh.ParseAuthorizedKey(data)
	cert, ok := public.(*ssh.Certificate)
	if err != nil || !ok {
		k.note("%s is no certificate", file)
		return
	}
	signer := find(k.signers, cert.Key)
	if signer == nil {
		k.note("the key of certificate %s is not there", file)
		return
	}
	both, err := ssh.NewCertSigner(cert, signer)
	if err != nil {
		k.note("use certificate %s: %v", file, err)
		return
	}
	k.signers = append([]ssh.Signer{both}, k.signers...)
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}

// checkKeys complains if there is nothing to log in with.
func (h *hop) checkKeys() *schema.Diagnostic {
	k := openKeys(h)
	defer k.close()
	if len(k.signers) > 0 {
		return nil
	}
	if len(k.locked) > 0 {
		key := k.locked[0]
		return &schema.Diagnostic{
			Attribute: attrPassphrase, Summary: "there is no key to log in to " + h.String() + " with: " + key.note,
			Detail: "Run ssh-add " + key.file + `, set passphrase, as in passphrase = env("NAME"), or run on a terminal, where it is asked for.`,
			Ask:    "passphrase for " + key.file,
		}
	}
	d := &schema.Diagnostic{
		Summary: "there is no key to log in to " + h.String() + " with",
		Detail:  "Make one with ssh-keygen and bring it there with ssh-copy-id, name one with identity_file, or give one to the ssh agent with ssh-add.",
	}
	if len(k.notes) > 0 {
		d.Summary += ": " + k.notes[0]
	}
	return d
}
