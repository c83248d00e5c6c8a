package gluster

import (
	"os"
	"regexp"
	"strings"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// logLine is "[date time +0000] E [MSGID: 1] [file.c:1:function] 0-who: text".
var logLine = regexp.MustCompile(`^\[[^\]]*\] ([EC]) (?:\[MSGID: \d+\] )?\[[^\]]*\] \S+: (.*)$`) //nolint:gochecknoglobals // a constant that Go cannot make one

// logged returns the errors that a glusterfs process logged, the last one last.
func logged(path string) []string {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	if len(b) > 1<<20 {
		b = b[len(b)-1<<20:]
	}
	var out []string
	for line := range strings.Lines(string(b)) {
		if m := logLine.FindStringSubmatch(strings.TrimSpace(line)); m != nil {
			out = append(out, strings.TrimSuffix(m[2], " []"))
		}
	}
	return out
}

// complaint makes one error of what a mount that did not come up logged. ended
// says that the process gave up by itself.
func complaint(a address, log string, ended bool) *sdk.Error {
	e := &sdk.Error{Kind: sdk.KindTransient, Op: "mount volume " + a.volume}
	all := logged(log)
	said := func(what string) bool { return strings.Contains(strings.Join(all, "\n"), what) }
	switch {
	case said("failed to fetch volume file"):
		e.Kind, e.Msg = sdk.KindNotExist, "there is no volume "+a.volume+" on "+a.host+": correct its name, or see gluster volume list there"
	case said("DNS resolution failed"), said("error in getaddrinfo"):
		e.Msg = "the host " + a.host + " is not known: correct its name"
	case said("cannot open /dev/fuse"), said("failed to open /dev/fuse"):
		e.Kind, e.Msg = sdk.KindUnsupported, "/dev/fuse cannot be opened: load the fuse module (modprobe fuse)"
	case said("first lookup on root failed"), said("failed to get the port number"):
		e.Msg = "no brick of it answers: start the volume (gluster volume start " + a.volume + "), or see gluster volume status " + a.volume
	case ended && len(all) == 0:
		e.Msg = "glusterd does not answer on " + a.host + " (port 24007): start it there, or correct the host"
	case len(all) > 0:
		e.Msg = "glusterfs says: " + all[len(all)-1]
	default:
		e.Msg = "the mount did not come up in time"
	}
	return e
}
