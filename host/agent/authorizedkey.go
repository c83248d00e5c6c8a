package agent

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"

	"golang.org/x/crypto/ssh"
)

// Key is the public half of a key pair, as its .pub file has it.
type Key struct {
	Public  ssh.PublicKey
	Comment string
}

// ParseKey reads the text of a .pub file.
func ParseKey(text []byte) (Key, error) {
	if bytes.Contains(text, []byte("PRIVATE KEY-----")) {
		return Key{}, errors.New("that is a private key: keep it where it is, and name the file beside it that ends in .pub")
	}
	public, comment, options, rest, err := ssh.ParseAuthorizedKey(text)
	switch {
	case err != nil:
		return Key{}, errors.New("no public key is in it; it is one line such as ssh-ed25519 AAAA… comment")
	case len(options) > 0:
		return Key{}, fmt.Errorf("its line has options (%s): take them away, or start from the key's .pub file", strings.Join(options, ","))
	case len(bytes.TrimSpace(rest)) > 0:
		return Key{}, errors.New("more than one line is in it; give one key at a time")
	}
	if _, ok := public.(*ssh.Certificate); ok {
		return Key{}, errors.New("that is a certificate; give the .pub file of the key that it is for")
	}
	clean := func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '?'
	}
	return Key{Public: public, Comment: strings.Map(clean, comment)}, nil
}

// Line gives the line of an authorized_keys file that lets a key do what r says
// and no more. program is the absolute path of gsyncd-host.
func (r *Restriction) Line(program string, key Key) string {
	words := []string{quote(program), "agent"}
	for _, u := range r.Roots {
		root := u.Path()
		if root == "" || quote(root) != root {
			root = u.Long() // which is one line, whatever the path holds
		}
		words = append(words, "--root", quote(root))
	}
	options := "restrict,"
	if len(r.From) > 0 {
		words = append(words, "--from", networks(r.From))
		options += `from="` + networks(r.From) + `",`
	}
	if f := r.Policy.Access.Flag(); f != "" {
		words = append(words, "--"+f)
	}
	if r.Policy.MaxBytes > 0 {
		words = append(words, "--max-bytes", strconv.FormatInt(r.Policy.MaxBytes, 10)+"B")
	}
	// The server knows one escape in it, \". No word ends in a backslash, which
	// would be taken for one: quote puts a word that has any into quotes.
	command := strings.ReplaceAll(strings.Join(words, " "), `"`, `\"`)
	line := options + `command="` + command + `" ` + strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key.Public)))
	if key.Comment != "" {
		line += " " + key.Comment
	}
	return line
}
