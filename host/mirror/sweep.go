package mirror

import (
	"context"
	"fmt"
	"time"

	"github.com/gsyncd/gsyncd-host/host/crawl"
	"github.com/gsyncd/gsyncd-host/sdk"
)

// A sweep looks at everything: at all of the primary, whatever its native xtimes or
// events say, and in the turn that follows at every directory of both sides, whatever
// the marks say. It finds what the storage did not mark, what raised no event, and what others changed on
// the secondary. Contents are not read; what looks the same is the same, as
// far as a turn believes it elsewhere.

// sweepShare bounds sweeps where they take long: the pause before the next is so
// many times as long as the last one was.
const sweepShare = 50

// sweepAgain is the part of the time between two sweeps after which one that did
// not see everything is done again.
const sweepAgain = 24

// sweeps reports whether this mirror needs sweeps.
func (m *Mirror) sweeps() bool {
	return (m.Detector.Events() || m.Source.Info().Features&sdk.HasNative != 0) && m.Sweep > 0
}

// sweepAt is when the next sweep is due; ok is false if never.
func (m *Mirror) sweepAt() (at time.Time, ok bool) {
	if !m.sweeps() {
		return time.Time{}, false
	}
	at = time.Unix(m.Session.Swept, 0).Add(m.Sweep)
	if at.Before(m.sweepNot) {
		at = m.sweepNot
	}
	// A clock that was set back must not put it off for good.
	if latest := m.Clock().Add(max(m.Sweep, m.sweepNot.Sub(m.Clock()))); at.After(latest) {
		at = latest
	}
	return at, true
}

// sweepDue reports whether a sweep is due.
func (m *Mirror) sweepDue() bool {
	at, ok := m.sweepAt()
	return ok && !m.Clock().Before(at)
}

// swept notes that a sweep has ended that began at a time, and whether it saw
// everything.
func (m *Mirror) swept(began time.Time, everything bool) error {
	now := m.Clock()
	m.sweepNot = now.Add(sweepShare * now.Sub(began))
	if !everything {
		m.sweepLater()
		return nil
	}
	m.Session.Swept = now.Unix()
	if err := m.SaveSession(m.Session); err != nil {
		return fmt.Errorf("keep the session: %w", err)
	}
	return nil
}

// sweepLater puts a sweep off that did not see everything.
func (m *Mirror) sweepLater() { m.sweepNot = m.Clock().Add(m.Sweep / sweepAgain) }

// keepsMark reports whether a sweep found a directory to be just what its mark
// says, so that nothing has to be written. The lock is held.
func (t *turn) keepsMark(n *node) bool {
	if !n.held() || n.mask != 0 || n.changed() {
		return false
	}
	return !t.native || stampOf(t.nativeOf(n.id), n.native)
}

// unclaimFailed replaces the marks that a sweep found to hold where something is
// wrong that it could not mend: the next turns must find the way back there.
func (t *turn) unclaimFailed(ctx context.Context, wave []*node) error {
	var ops []sdk.Op
	for _, n := range wave {
		if n.failed && n.held() {
			begun := crawl.Mark{Dir: n.was.Dir, Since: n.was.Since}
			ops = append(ops, sdk.Op{Kind: sdk.OpSetMark, Path: n.path, Mark: begun.Encode(), Native: n.native})
		}
	}
	results, err := t.apply(ctx, ops)
	if err != nil {
		return err
	}
	for i := range results {
		if err := results[i].Err; err != nil && err.Kind != sdk.KindNotExist {
			t.ledger.raise(ops[i].Path, sdk.Secondary, err)
		}
	}
	return nil
}
