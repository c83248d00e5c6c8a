package report

import (
	"encoding/json"
	"time"
	"unicode/utf8"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// State is what a mirror is doing.
type State string

// The states of a mirror.
const (
	Starting   State = "starting"   // opening both sides
	Looking    State = "looking"    // the marker looks for changes
	Syncing    State = "syncing"    // a turn is under way
	InSync     State = "in sync"    // the secondary holds all that was seen
	Waiting    State = "problems"   // all done but for problems, which wait for their next try
	Restarting State = "restarting" // a plugin or a side failed; backing off
	Stopped    State = "stopped"    // ended as asked
	Failed     State = "failed"     // ended by an error
)

// Counts are the sums since the mirror was started. Bytes are of file contents.
type Counts struct {
	Files   int64 `json:"files"`   // files whose data was brought
	Bytes   int64 `json:"bytes"`   // their sizes
	Moved   int64 `json:"moved"`   // bytes that had to cross for them
	Dirs    int64 `json:"dirs"`    // directories made
	Others  int64 `json:"others"`  // symlinks, special files and hard links made
	Metas   int64 `json:"metas"`   // entries whose attributes alone were set
	Deletes int64 `json:"deletes"` // entries removed
	Renames int64 `json:"renames"` // directories moved
	Visited int64 `json:"visited"` // directories entered
}

// Method says how often a way of moving data was taken, and why.
type Method struct {
	Name    string         `json:"name"`
	Files   int64          `json:"files"`
	Bytes   int64          `json:"bytes"`
	Moved   int64          `json:"moved"`
	Seconds float64        `json:"seconds"`
	Reasons map[string]int `json:"reasons,omitempty"`
}

// Problem is an entry that could not be mirrored. It stops only itself.
type Problem struct {
	Path     sdk.Path
	Side     sdk.Role
	Kind     sdk.Kind
	Cause    string // for people
	Since    time.Time
	Attempts int
	Next     time.Time // when it is tried again
}

// MarshalJSON renders a path that is not UTF-8 as "path_bytes", in base64, beside
// a "path" with replacement characters.
func (p Problem) MarshalJSON() ([]byte, error) {
	out := struct {
		Path     string    `json:"path"`
		Bytes    []byte    `json:"path_bytes,omitempty"`
		Side     string    `json:"side"`
		Kind     string    `json:"kind"`
		Cause    string    `json:"cause"`
		Since    time.Time `json:"since"`
		Attempts int       `json:"attempts"`
		Next     time.Time `json:"next"`
	}{string(p.Path), nil, p.Side.String(), p.Kind.String(), p.Cause, p.Since, p.Attempts, p.Next}
	if !utf8.ValidString(string(p.Path)) {
		out.Bytes = []byte(p.Path)
	}
	return json.Marshal(out)
}

// Snapshot is the state of one mirror at one moment.
type Snapshot struct {
	Mirror    string `json:"mirror"`
	Primary   string `json:"primary"`
	Secondary string `json:"secondary"`
	State     State  `json:"state"`
	// Error is why the mirror failed or restarts.
	Error string `json:"error,omitempty"`

	Started time.Time `json:"started"`
	Now     time.Time `json:"now"`
	// Synced is when the secondary was last seen to hold everything.
	Synced time.Time `json:"synced,omitzero"`
	Turns  int64     `json:"turns"`

	Done Counts `json:"done"`
	// PendingFiles and PendingBytes are found but not yet on the secondary. The
	// crawl may find more; only in a first synchronization the whole is known
	// from the start, and PendingBytes counts it.
	PendingFiles int64   `json:"pending_files"`
	PendingBytes int64   `json:"pending_bytes"`
	Rate         float64 `json:"rate"` // bytes per second, of the last seconds
	ETASeconds   float64 `json:"eta_seconds,omitempty"`
	// Expected is what Done.Bytes comes to by the end of a first
	// synchronization; 0 otherwise.
	Expected int64 `json:"-"`

	// Detector is by what changes of the primary are noticed; empty before it is
	// chosen, and for a run that has an end.
	Detector Detector `json:"detector,omitzero"`

	// Entries and Bytes are the size of the primary as last seen.
	Entries int64 `json:"entries"`
	Bytes   int64 `json:"bytes"`

	Methods []Method `json:"methods,omitempty"`
	// Problems are the ones listed; ProblemCount counts all.
	Problems     []Problem `json:"problems,omitempty"`
	ProblemCount int       `json:"problem_count"`
	// Notices are said once: what this pair of sides cannot keep, and the like.
	Notices []string `json:"notices,omitempty"`
}
