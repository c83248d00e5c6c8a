package gluster

import (
	"time"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/schema"
)

const (
	attrIndex    = "index"
	attrSkew     = "clock_skew"
	attrJobs     = "jobs"
	attrLogLevel = "log_level"
	attrCLI      = "cli"
	attrUpstream = "upstream"

	indexRequire = "require"
	indexEnable  = "enable"

	maxJobs     = 64
	defaultSkew = 2 * time.Second
)

var settingsSchema = schema.Schema{
	{Name: attrIndex, Type: schema.String, Default: indexRequire, OneOf: []string{indexRequire, indexEnable}, Doc: "Whether a primary's geo-replication.indexing must be on already, or is turned on."},
	{Name: attrSkew, Type: schema.Duration, Default: defaultSkew, Doc: "How far the clocks of the machines that write to a primary may differ."},
	{Name: attrJobs, Type: schema.Count, Default: int64(2), Doc: "How many directories are listed at once."},
	{Name: attrLogLevel, Type: schema.String, Default: "WARNING", OneOf: []string{"DEBUG", "INFO", "WARNING", "ERROR"}, Doc: "What the glusterfs process logs while it runs."},
	{Name: attrCLI, Type: schema.Strings, Default: []string{"gluster"}, Doc: "How Gluster's command line is called."},
	{Name: attrUpstream, Type: schema.String, Doc: "UUID of the volume whose classic gsyncd mirrors to a primary that is a secondary in turn. One of ours is found without."},
}

// settings are the configuration in its own types.
type settings struct {
	enable   bool
	skew     time.Duration
	jobs     int
	logLevel string
	cli      []string
	upstream sdk.UUID
}

func settingsOf(v schema.Values) (settings, error) {
	s := settings{
		enable: v.String(attrIndex) == indexEnable, skew: defaultSkew, jobs: 2,
		logLevel: "WARNING", cli: []string{"gluster"},
	}
	if _, ok := v[attrSkew]; ok {
		if s.skew = v.Duration(attrSkew); s.skew < 10*time.Millisecond || s.skew > time.Hour {
			return s, wrong(attrSkew, "clock_skew must be 10ms to 1h")
		}
	}
	if _, ok := v[attrJobs]; ok {
		n := v.Int(attrJobs)
		if n < 1 || n > maxJobs {
			return s, wrong(attrJobs, "jobs must be 1 to 64")
		}
		s.jobs = int(n)
	}
	if l := v.String(attrLogLevel); l != "" {
		s.logLevel = l
	}
	if _, ok := v[attrCLI]; ok {
		if s.cli = v.Strings(attrCLI); len(s.cli) == 0 || s.cli[0] == "" {
			return s, wrong(attrCLI, "cli must name a program")
		}
	}
	if text := v.String(attrUpstream); text != "" {
		u, err := sdk.ParseUUID(text)
		if err != nil || u.IsZero() {
			return s, wrong(attrUpstream, "upstream must be a volume's UUID, as gluster volume info shows it")
		}
		s.upstream = u
	}
	return s, nil
}

// wrongSetting is an error about one attribute.
type wrongSetting struct{ attr, msg string }

// Error implements error.
func (e *wrongSetting) Error() string { return e.msg }

func wrong(attr, msg string) error { return &wrongSetting{attr: attr, msg: msg} }
