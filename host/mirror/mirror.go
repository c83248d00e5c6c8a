package mirror

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"log/slog"
	"time"

	"github.com/gsyncd/gsyncd-host/host/crawl"
	"github.com/gsyncd/gsyncd-host/host/marker"
	"github.com/gsyncd/gsyncd-host/host/mover"
	"github.com/gsyncd/gsyncd-host/host/report"
	"github.com/gsyncd/gsyncd-host/sdk"
)

// Marker tells the primary's xtimes; *marker.Marker is one.
type Marker interface {
	Refresh(ctx context.Context, src sdk.Source, hint marker.Hint) (marker.Pass, error)
	XTime(id sdk.FileID) (sdk.XTime, bool)
	// Native is the native xtime that the last pass read, for a primary that has
	// them, before it listed the directory; false if there is none.
	Native(id sdk.FileID) (sdk.NativeXTime, bool)
	Links(id sdk.FileID) []sdk.Path
	Place(id sdk.FileID) (marker.Place, bool)
	Moved(id sdk.FileID)
	Differs(id sdk.FileID, w *marker.Witness) bool
	Doubt(ids []sdk.FileID) error
}

// Detector says when to look again; *marker.ScanDetector is one.
type Detector interface {
	marker.Detector
	// Done tells of a pass that ended and of the processor time that it took in
	// all; 0 is "not measured".
	Done(pass marker.Pass, cpu time.Duration)
	// Events reports whether hints tell where something happened, and are trusted with
	// that but for sweeps. It may be another after each call of Next. The first hint says
	// where to begin in any case.
	Events() bool
}

// Mover brings file data; *mover.Mover is one.
type Mover interface {
	Run(ctx context.Context, jobs <-chan mover.Job, result func(mover.Result)) error
	Stats() []mover.MethodStat
}

// Config is what a mirror works with. All but MaxDeletes, Keep, Adopt, Sweep
// and Session must be set.
type Config struct {
	Source   sdk.Source
	Target   sdk.Target
	Marker   Marker
	Detector Detector
	Mover    Mover

	// Keep leaves names that only the secondary has.
	Keep bool
	// MaxDeletes is the most entries that one turn may remove; 0 is no limit.
	MaxDeletes int64
	// Adopt takes both sides as they are, whatever Session says, and lets the
	// first turn remove what an emptied primary lacks. It is spent by SaveSession:
	// a mirror that is begun anew after that must not be given it again, or it
	// would adopt whatever it finds where a side was unmounted.
	Adopt bool
	Retry Retry
	// Sweep is the longest time between two looks at everything, for a primary
	// whose events or native xtimes are trusted otherwise; 0 is never.
	Sweep time.Duration

	// Session is what was known of the sides when the mirror last ran.
	Session Session
	// SaveSession keeps it, durably.
	SaveSession func(Session) error

	Tracker *report.Tracker
	Logger  *slog.Logger
	Clock   func() time.Time
}

// Retry says how problems are tried again.
type Retry struct {
	Min, Max time.Duration // first and longest wait; it doubles in between
	Attempts int           // how often Run with Once tries before it gives up
}

// Session binds a mirror to its two sides.
type Session struct {
	Primary   sdk.Identity
	Secondary sdk.Identity
	// Adopted says that whatever the secondary holds beyond the primary may be
	// removed: it was empty when the mirror began, or somebody said so.
	Adopted bool
	// Swept is when everything was last looked at, in seconds since 1970, of a
	// primary with native xtimes or events.
	Swept int64
}

// Mirror is one running mirror. Its methods are for one goroutine.
type Mirror struct {
	Config
	policy  crawl.Policy
	ledger  *ledger
	partial map[sdk.FileID]partial
	run     string // tells our staged names from those of earlier runs
	serial  int64
	held    int    // turns in a row that removed nothing because the primary moved
	astray  astray // of the last turn
	// replaced are of the last turn, too.
	replaced map[sdk.Path]int
	first    bool      // the secondary never held everything yet
	empty    bool      // the secondary was empty when the mirror began
	bare     *bareRoot // until the first listing; nil if it is not known to be empty
	barred   bool      // the mirror would remove, and the secondary does not let it

	native   bool      // the secondary carries native xtimes
	sweepNot time.Time // no sweep before it
}

// New prepares a mirror; nothing is read or written yet.
func New(cfg Config) *Mirror {
	var token [4]byte
	_, _ = rand.Read(token[:])
	cfg.Target = withMarks(cfg.Target, cfg.Session != Session{})
	features := cfg.Target.Info().Features
	wanted := cfg.Keep
	cfg.Keep = wanted || features&sdk.KeepsEntries != 0
	return &Mirror{
		Config: cfg,
		barred: cfg.Keep && !wanted,
		native: keepsNative(cfg.Source.Info().Features, features),
		policy: crawl.Policy{
			Features: features,
			Keep:     cfg.Keep,
			Links:    cfg.Marker.Links,
		},
		ledger:  newLedger(cfg.Retry, cfg.Clock, cfg.Tracker),
		partial: map[sdk.FileID]partial{},
		run:     hex.EncodeToString(token[:]),
	}
}

// partial is what is known of a directory that was brought up to date but for
// some entries, and therefore got no mark: without it, every try of one bad
// entry would look at all the others again.
type partial struct {
	path  sdk.Path
	on    sdk.FileID // the secondary's directory: another may be moved there
	since sdk.Time
	again map[string]struct{}
}
