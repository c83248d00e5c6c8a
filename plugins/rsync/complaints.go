package rsync

import (
	"path"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// complaints gathers what rsync says on standard error: per file where a file
// is named, and the first of all for what it left undone.
type complaints struct {
	mu      sync.Mutex
	first   string
	errno   syscall.Errno // of the first that has one
	full    syscall.Errno // ENOSPC or EDQUOT, from whatever line
	files   map[string]complaint
	refused string // why the far side cannot do its part
	lost    bool   // the way to the far side was
}

type complaint struct {
	errno syscall.Errno
	text  string
}

var (
	// errorLine fits `rsync: [receiver] write failed on "/a/b/7": No space left
	// on device (28)`: the object in quotes, the errno at the end.
	errorLine = regexp.MustCompile(`"([^"]*)"[^"]*\((\d+)\)$`)
	errnoLine = regexp.MustCompile(`\((\d+)\)$`)
	// unfinishedName is what rsync calls a file until it is whole.
	unfinishedName = regexp.MustCompile(`^\.(\d+)\.[A-Za-z0-9]{6}$`)
)

// add takes one line. It may be called while others read.
func (c *complaints) add(b []byte) {
	line := strings.TrimSpace(string(b))
	c.mu.Lock()
	defer c.mu.Unlock()
	if why, ok := strings.CutPrefix(line, sdk.ShellRefuses); ok && c.refused == "" {
		c.refused = why
	}
	c.lost = c.lost || strings.HasPrefix(line, sdk.ShellLost)
	var no syscall.Errno
	// "rsync error: … (code 23) at main.c(1394)" only repeats.
	if m := errnoLine.FindStringSubmatch(line); m != nil && !strings.HasPrefix(line, "rsync error:") {
		if n, err := strconv.Atoi(m[1]); err == nil && n > 0 && n < 4096 {
			no = syscall.Errno(n)
		}
	}
	if no == syscall.EPIPE {
		return // the echo of another's end
	}
	if c.first == "" {
		c.first = line
	}
	if c.errno == 0 {
		c.errno = no
	}
	if no == syscall.ENOSPC || no == syscall.EDQUOT {
		c.full = no
	}
	m := errorLine.FindStringSubmatch(line)
	if m == nil || len(c.files) >= maxFiles {
		return
	}
	name := path.Base(m[1])
	if u := unfinishedName.FindStringSubmatch(name); u != nil {
		name = u[1]
	}
	if c.files == nil {
		c.files = map[string]complaint{}
	}
	if _, ok := c.files[name]; !ok {
		c.files[name] = complaint{errno: no, text: line}
	}
}

// about returns why the file called name was not made, given how rsync ended.
func (c *complaints) about(name string, p sdk.Path, code int) *sdk.Error {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := &sdk.Error{Op: "rsync", Path: p}
	f, own := c.files[name]
	switch {
	case own && f.errno != 0:
		e.Kind, e.Errno, e.Msg = sdk.KindOf(f.errno), f.errno, f.text
		if f.errno == syscall.ENOENT {
			// Both trees are held by descriptors: what is missing is not the
			// file, but something that rsync needs.
			e.Kind = sdk.KindTransient
		}
	case c.full != 0:
		e.Kind, e.Errno, e.Msg = sdk.KindNoSpace, c.full, c.first
	case own:
		e.Kind, e.Msg = sdk.KindTransient, f.text
	default:
		e.Kind, e.Msg = codeKind(code), codeText(code)
		if c.first != "" {
			e.Msg += ": " + c.first
		}
	}
	return e
}

// broke reports whether the connection was lost.
func (c *complaints) broke(code int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.lost || code == codeLost
}

// names reports whether anything was said about the file called name.
func (c *complaints) names(name string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, ok := c.files[name]
	return ok
}

// refuses reports whether the far side cannot do its part, now or later, given
// how rsync ended. The codes alone do not tell: rsync may see the end of its
// connection before it sees how the shell ended.
func (c *complaints) refuses(code int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch code {
	case 1, 2, 4, 126, 127: // usage, protocol versions, unsupported, and the shell's two
		return true
	}
	return c.refused != ""
}

// refusal is the error of a run that the far side refused.
func (c *complaints) refusal(code int) *sdk.Error {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := &sdk.Error{Kind: sdk.KindUnsupported, Op: "run rsync", Msg: c.refused}
	if e.Msg == "" {
		e.Msg = codeText(code)
		if c.first != "" {
			e.Msg += ": " + c.first
		}
	}
	return e
}

// Exit codes with which rsync has come to its end.
const (
	codeDone     = 0
	codePartial  = 23
	codeVanished = 24
	codeLost     = 255 // a remote shell's
)

func codeKind(code int) sdk.Kind {
	switch code {
	case 1, 2, 4, 6: // usage, protocol versions, unsupported, daemon
		return sdk.KindFatal
	}
	return sdk.KindTransient
}

var codeTexts = map[int]string{
	0: "it ended well, but the file is not there", 1: "it did not understand its options", 2: "the two ends speak different protocols",
	3: "it could not select the files", 4: "it lacks a feature that an option asks for", 5: "the connection could not be set up",
	10: "the connection broke", 11: "a file could not be read or written", 12: "the stream between the two ends broke",
	13: "its diagnostics broke", 14: "its processes could not talk to each other", 20: "it was told to stop", 22: "memory ran out",
	23: "some files could not be sent", 24: "some files vanished", 30: "it waited too long for data", 35: "it waited too long for a connection", 126: "the far rsync cannot be executed",
	127: "there is no rsync on the far side", 255: "the connection broke",
}

func codeText(code int) string {
	if t, ok := codeTexts[code]; ok {
		return t
	}
	if code < 0 {
		return "it was killed"
	}
	return "it ended with code " + strconv.Itoa(code)
}
