package rsync

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"syscall"
	"time"

	"github.com/gsyncd/gsyncd-host/sdk/schema"
)

// version is rsync's: major, minor, patch.
type version [3]int

// oldest is the first version that is known to keep what is relied on here:
// progress of the whole run, and per-file lines, on one stream.
func oldest() version { return version{3, 1, 3} }

func (v version) String() string { return fmt.Sprintf("%d.%d.%d", v[0], v[1], v[2]) }

func (v version) less(o version) bool {
	for i := range v {
		if v[i] != o[i] {
			return v[i] < o[i]
		}
	}
	return false
}

// versionLine fits "rsync  version 3.2.7  protocol version 31" and the
// "version v3.2.7" of some distributions.
var versionLine = regexp.MustCompile(`(?m)^rsync\s+version\s+v?(\d+)\.(\d+)(?:\.(\d+))?`)

func parseVersion(out []byte) (version, error) {
	m := versionLine.FindSubmatch(out)
	if m == nil {
		first, _, _ := bytes.Cut(out, []byte("\n"))
		return version{}, fmt.Errorf("no version in %.80q", first)
	}
	var v version
	for i := range v {
		if len(m[i+1]) == 0 {
			continue
		}
		n, err := strconv.Atoi(string(m[i+1]))
		if err != nil {
			return version{}, fmt.Errorf("parse version: %w", err)
		}
		v[i] = n
	}
	return v, nil
}

const cure = `Install it ("apt install rsync"), name it with the attribute "program", or use transfer "stream".`

func checkProgram(ctx context.Context, program string) []schema.Diagnostic {
	path, err := exec.LookPath(program)
	if err != nil {
		return []schema.Diagnostic{{Attribute: attrProgram, Summary: fmt.Sprintf("there is no program %q on this machine", program), Detail: cure}}
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, "--version")
	cmd.Env = environment()
	cmd.WaitDelay = time.Second
	// A Ctrl-C at the terminal is the host's to deal with.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, err := cmd.Output()
	if err != nil {
		return []schema.Diagnostic{{Attribute: attrProgram, Summary: fmt.Sprintf("%s --version: %v", path, err), Detail: cure}}
	}
	v, err := parseVersion(out)
	if err != nil {
		return []schema.Diagnostic{{Attribute: attrProgram, Summary: fmt.Sprintf("%s does not look like rsync: %v", path, err), Detail: cure}}
	}
	if v.less(oldest()) {
		return []schema.Diagnostic{{Attribute: attrProgram, Summary: fmt.Sprintf("%s is version %s, which is too old", path, v), Detail: fmt.Sprintf("Version %s or later is needed; or use transfer \"stream\".", oldest())}}
	}
	return nil
}
