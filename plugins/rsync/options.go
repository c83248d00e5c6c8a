package rsync

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gsyncd/gsyncd-host/sdk/schema"
)

// allowed are the options a person may add: those that change how data moves,
// and nothing about which files, where to, or what is seen meanwhile. It is a
// list of what may be, since rsync grows options with every version.
var allowed = [...]string{
	"--block-size", "--bwlimit", "--cc", "--checksum-choice", "--checksum-seed",
	"--compress", "--compress-choice", "--compress-level", "--compress-threads", "--fsync", "--max-alloc",
	"--no-compress", "--no-sparse", "--no-whole-file", "--preallocate", "--skip-compress", "--sparse",
	"--whole-file", "--zc", "--zl", "-S", "-W", "-z",
}

// refused gives the reason for options that people are likely to try.
var refused = [...]struct{ prefix, why string }{
	{"--inplace", "it writes into the finished file, so that a torn one could be seen"},
	{"--append", "it writes into the finished file, so that a torn one could be seen"},
	{"--partial", "an unfinished file would stand under a finished file's name"},
	{"--delay-updates", "files have to be finished one by one"},
	{"--del", "deleting is the host's to decide"},
	{"--remove-source-files", "the primary is never changed"},
	{"--remove-sent-files", "the primary is never changed"},
	{"--write-devices", "it would write to devices"},
	{"--rsh", "how the sides are reached is the driver's to say"},
	{"-e", "how the sides are reached is the driver's to say"},
	{"--rsync-path", "how the sides are reached is the driver's to say"},
	{"--daemon", "the method starts rsync once for every batch"},
	{"--files-from", "the host has decided which files are sent"},
	{"--from0", "the host has decided which files are sent"},
	{"--include", "the host has decided which files are sent"},
	{"--exclude", "the host has decided which files are sent"},
	{"--filter", "the host has decided which files are sent"},
	{"--dry-run", "nothing would be sent"},
	{"--temp-dir", "unfinished files have to stay in the job's own directory"},
	{"--backup", "it would leave files that nobody asked for"},
	{"--timeout", `the attribute "timeout" does this, for local runs too`},
	{"--archive", "attributes are set by the host"},
	{"-a", "attributes are set by the host"},
	{"--xattrs", "attributes are set by the host"},
	{"-X", "attributes are set by the host"},
	{"--acls", "attributes are set by the host"},
	{"-A", "attributes are set by the host"},
}

func checkOptions(options []string) []schema.Diagnostic {
	var diags []schema.Diagnostic
	for _, o := range options {
		name, _, _ := strings.Cut(o, "=")
		if slices.Contains(allowed[:], name) {
			continue
		}
		d := schema.Diagnostic{
			Attribute: attrOptions,
			Summary:   fmt.Sprintf("option %q cannot be used here", o),
			Detail:    "Options that may be added: " + strings.Join(allowed[:], " ") + ".",
		}
		if !strings.HasPrefix(o, "-") {
			d.Detail = "An option's value is written with it: \"--block-size=4096\". " + d.Detail
		}
		for _, r := range refused {
			if strings.HasPrefix(o, r.prefix) {
				d.Detail = "Leave it out: " + r.why + "."
				break
			}
		}
		diags = append(diags, d)
	}
	return diags
}
