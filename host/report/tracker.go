package report

import (
	"slices"
	"sync"
	"time"
)

// Tracker gathers a mirror's state. All methods may be called concurrently.
type Tracker struct {
	clock func() time.Time
	watch func(Snapshot)

	mu   sync.Mutex
	snap Snapshot
	rate rate
}

// NewTracker starts a mirror's record. clock gives the present time.
func NewTracker(mirror, primary, secondary string, clock func() time.Time) *Tracker {
	return &Tracker{clock: clock, snap: Snapshot{
		Mirror: mirror, Primary: primary, Secondary: secondary,
		State: Starting, Started: clock(),
	}}
}

// Watch has f called with every new state, on the goroutine that sets it. It must
// be called before the mirror runs.
func (t *Tracker) Watch(f func(Snapshot)) { t.watch = f }

// Update changes the record under its lock; f must not keep the pointer.
func (t *Tracker) Update(f func(*Snapshot)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	f(&t.snap)
}

// SetState says what the mirror is doing now; err is why, or nil.
func (t *Tracker) SetState(s State, err error) {
	t.Update(func(snap *Snapshot) {
		snap.State, snap.Error = s, ""
		if err != nil {
			snap.Error = err.Error()
		}
		if s == InSync {
			snap.Synced = t.clock()
		}
	})
	if t.watch != nil {
		t.watch(t.Snapshot())
	}
}

// Moved adds bytes that have just been moved, for the rate.
func (t *Tracker) Moved(n int64) {
	now := t.clock()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.rate.add(now, n)
}

// Notice adds a notice and reports whether it is new.
func (t *Tracker) Notice(text string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if slices.Contains(t.snap.Notices, text) {
		return false
	}
	t.snap.Notices = append(t.snap.Notices, text)
	return true
}

// Snapshot returns a copy that the caller owns.
func (t *Tracker) Snapshot() Snapshot {
	now := t.clock()
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.snap
	s.Now = now
	s.Methods = slices.Clone(s.Methods)
	s.Problems = slices.Clone(s.Problems)
	s.Notices = slices.Clone(s.Notices)
	s.PendingBytes = max(s.PendingBytes, s.Expected-s.Done.Bytes)
	s.Rate = t.rate.perSecond(now)
	if s.Rate > 0 && s.PendingBytes > 0 {
		s.ETASeconds = float64(s.PendingBytes) / s.Rate
	}
	return s
}
