package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/gsyncd/gsyncd-host/config/diag"
	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/drivertest"
)

// featureNames say for people what a resource can do or keep.
var featureNames = []struct {
	bit  sdk.Features
	name string
}{
	{sdk.CanOwner, "owners"},
	{sdk.CanDevices, "devices"},
	{sdk.CanSpecial, "fifos and sockets"},
	{sdk.CanHardlinks, "hard links"},
	{sdk.CanXattrs, "extended attributes"},
	{sdk.CanTrusted, "trusted attributes"},
	{sdk.CanACL, "access control lists"},
	{sdk.FineMtime, "times to the nanosecond"},
	{sdk.CanMarks, "marks"},
	{sdk.HasNative, "native xtimes"},
	{sdk.KeepsVolumeMark, "volume marks"},
}

// features splits the names by whether a resource has the feature.
func features(f sdk.Features) (has, lacks []string) {
	for _, n := range featureNames {
		if f&n.bit != 0 {
			has = append(has, n.name)
		} else {
			lacks = append(lacks, n.name)
		}
	}
	return has, lacks
}

// writeCan prints what the resource keeps.
func (c *checked) writeCan(out io.Writer) {
	list := func(name string, words []string) {
		if len(words) > 0 {
			fmt.Fprintf(out, "  %-10s %s\n", name, strings.Join(words, ", "))
		}
	}
	if c.URL != "" {
		fmt.Fprintf(out, "  %-10s %s\n", "checked on", diag.Clean(c.URL))
	}
	list("keeps", c.Features)
	list("lacks", c.Lacks)
}

// writeResult prints the outcome of one check. What a failed one has to say is
// printed, of the others only with notes.
func writeResult(out io.Writer, r drivertest.Result, notes bool) {
	word := map[drivertest.Outcome]string{drivertest.Passed: "ok", drivertest.Failed: "FAILED", drivertest.Skipped: "-"}[r.Outcome]
	fmt.Fprintf(out, "  %-6s  %-19s  %s\n", word, r.Name, r.Doc)
	if r.Outcome == drivertest.Passed && !notes {
		return
	}
	for _, n := range r.Notes {
		for line := range strings.SplitSeq(n, "\n") {
			fmt.Fprintf(out, "          %s\n", diag.Clean(line))
		}
	}
}
