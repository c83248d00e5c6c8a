package ssh

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"sync"
)

// Program is the executable that the driver may put on another machine as the
// agent there: gsyncd-host itself.
type Program struct {
	Path    string // "" if there is none: nothing is put anywhere then
	Version string // for people, in the name of a directory there
}

// payload is a program that goes to other machines. Its methods may be called
// concurrently.
type payload struct {
	path    string
	version string
	goos    string
	goarch  string
	digest  func() (digest, error) // read once: it is asked for at each connection
}

// digest is what a program's bytes must be.
type digest struct {
	size int64
	sum  string // SHA-256, in hex
}

// newPayload returns nil for no program.
func newPayload(p Program) *payload {
	if p.Path == "" {
		return nil
	}
	return &payload{
		path: p.Path, version: versionWord(p.Version), goos: runtime.GOOS, goarch: runtime.GOARCH,
		digest: sync.OnceValues(func() (digest, error) { return digestFile(p.Path) }),
	}
}

func digestFile(path string) (digest, error) {
	f, err := os.Open(path)
	if err != nil {
		return digest{}, err
	}
	defer f.Close()
	h := sha256.New()
	n, err := io.Copy(h, f)
	if err != nil {
		return digest{}, fmt.Errorf("read %s: %w", path, err)
	}
	return digest{size: n, sum: hex.EncodeToString(h.Sum(nil))}, nil
}

// dir is the name of this version's directory over there.
func (p *payload) dir(d digest) string { return p.version + "-" + d.sum[:16] }

// versionWord makes a word of a version that is a safe name of a directory.
func versionWord(version string) string {
	const most = 64
	words := strings.FieldsFunc(version, func(r rune) bool {
		return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-", r)
	})
	word := strings.TrimLeft(strings.Join(words, "_"), "._-")
	if word == "" {
		return "unknown"
	}
	return word[:min(len(word), most)]
}

// runsOn reports whether the program can run on a machine, by what uname says
// there of the system and the processor.
func (p *payload) runsOn(system, processor string) bool {
	return strings.ToLower(system) == p.goos && goarch(processor) == p.goarch
}

// goarch is Go's name of a processor, or the name itself if that is not known.
func goarch(processor string) string {
	switch processor {
	case "x86_64", "amd64":
		return "amd64"
	case "i386", "i486", "i586", "i686":
		return "386"
	case "aarch64":
		return "arm64"
	case "armv6l", "armv7l", "armv8l":
		return "arm"
	case "loongarch64":
		return "loong64"
	case "mips64", "mips64el", "mips", "mipsel":
		return strings.Replace(processor, "el", "le", 1)
	}
	return processor
}
