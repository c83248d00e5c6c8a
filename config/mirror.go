package config

import (
	"fmt"
	"time"

	"github.com/gsyncd/gsyncd-host/config/diag"
	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/schema"
)

// Mirror is one declared mirror.
type Mirror struct {
	Name        string
	Primary     Side
	Secondary   Side
	KeepDeleted bool     // deletes = "keep": what the primary lacks stays on the secondary
	Drivers     []*Block // as written; see Driver
	Transfer    Transfer
	Schedule    Schedule
	Limits      Limits
	Retry       Retry
	Range       diag.Range // of the block's header
}

// Schedule says how eagerly the primary is looked at.
type Schedule struct {
	Interval  time.Duration // the shortest pause between two looks; 0: a second, or none where events tell
	IdleShare float64       // share of one core spent on looking while nothing changes
	// Sweep is how often, at least, a full listing of both sides is made, for a
	// primary whose own xtimes or events are trusted otherwise; 0: never.
	Sweep time.Duration
	// Detector is by what changes are noticed: "auto", "btrfs", "fanotify", "inotify" or "scan".
	Detector string
}

// Limits hold a mirror back.
type Limits struct {
	Rate       int64 // bytes per second that are sent; 0: no limit
	MaxDeletes int64 // entries that one crawl may delete; 0: no limit
}

// Retry says how a mirror that failed is started again.
type Retry struct {
	Min, Max time.Duration // the first and the longest pause
	Attempts int           // how often before giving up; 0: for ever
}

// newMirror is a mirror with the defaults.
func newMirror(name string, header diag.Range) *Mirror {
	m := &Mirror{
		Name: name, Range: header,
		Transfer: Transfer{Block: Block{Kind: TransferPlugin, Label: Auto, Range: header}},
	}
	m.setSchedule(defaults(scheduleSchema))
	m.setLimits(defaults(limitsSchema))
	m.setRetry(defaults(retrySchema))
	return m
}

func defaults(s schema.Schema) schema.Values {
	v := schema.Values{}
	for _, a := range s {
		if a.Default != nil {
			v[a.Name] = a.Default
		}
	}
	return v
}

func (m *Mirror) setSchedule(v schema.Values) {
	m.Schedule = Schedule{Interval: v.Duration("interval"), IdleShare: v.Share("idle_share"), Sweep: v.Duration("sweep"), Detector: v.String("detector")}
}

func (m *Mirror) setLimits(v schema.Values) {
	m.Limits = Limits{Rate: v.Int("rate"), MaxDeletes: v.Int("max_deletes")}
}

func (m *Mirror) setRetry(v schema.Values) {
	m.Retry = Retry{Min: v.Duration("min"), Max: v.Duration("max"), Attempts: int(v.Int("attempts"))}
}

func (m *Mirror) what() string { return fmt.Sprintf("mirror %q", m.Name) }

// Driver returns the driver block of a scheme. If nobody wrote one it is empty,
// and stands where the side of that scheme does.
func (m *Mirror) Driver(scheme string) *Block {
	for _, b := range m.Drivers {
		if b.Label == scheme {
			return b
		}
	}
	b := &Block{Kind: DriverPlugin, Label: scheme, Range: m.Range}
	for _, s := range []Side{m.Secondary, m.Primary} {
		if s.URL.Scheme() == scheme {
			b.Range = s.Range
		}
	}
	return b
}

// Side returns one side.
func (m *Mirror) Side(role sdk.Role) Side {
	if role == sdk.Primary {
		return m.Primary
	}
	return m.Secondary
}

// Diagnose puts what a driver complains about, opening one side, where it
// belongs: on an attribute of its block, or on the side's URL.
func (m *Mirror) Diagnose(role sdk.Role, d schema.Diagnostic) diag.Diagnostic {
	side := m.Side(role)
	if d.Attribute != "" {
		return m.Driver(side.URL.Scheme()).Diagnose(d)
	}
	return diagnostic(d, side.Range)
}
