package mirror

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gsyncd/gsyncd-host/host/crawl"
	"github.com/gsyncd/gsyncd-host/host/marker"
	"github.com/gsyncd/gsyncd-host/host/report"
	"github.com/gsyncd/gsyncd-host/sdk"
)

// Options say how long Run goes on.
type Options struct {
	Once  bool // until the secondary holds everything, or only problems remain
	Full  bool // enter every directory and compare everything, once
	Turns int  // stop after so many looks; 0 is no limit
}

// ErrProblems says that Run ended with entries that could not be mirrored.
var ErrProblems = errors.New("finished with problems")

// maxAgain bounds how often a turn is repeated at once because it met
// something half done, before the pace of looking applies again.
const maxAgain = 3

// Run mirrors until the options are met or ctx ends. Nil means in sync as far
// as was looked; [ErrProblems] that problems remain; an error of KindGone that a
// side or its plugin is no longer there and Run may be called on new ones.
func (m *Mirror) Run(ctx context.Context, opts Options) error {
	root, err := m.bind(ctx)
	if err != nil {
		return err
	}
	defer m.keepAlive(ctx)()
	if m.policy.Features&sdk.CanMarks == 0 {
		m.notice("the secondary's filesystem cannot keep marks: every start compares everything, contents included")
	}
	if m.barred {
		m.notice("the secondary does not let this mirror remove or move anything: what the primary no longer has stays there")
	}
	m.Tracker.SetState(report.Looking, nil) // a filesystem with a history is waited for
	r := running{Options: opts, root: root}
	if r.hint, err = m.Detector.Next(ctx); err != nil {
		return err
	}
	r.hint.Sweep = r.hint.Sweep || opts.Full
	for {
		pass, quiet, err := m.takeTurn(ctx, &r)
		if err != nil {
			return err
		}
		if done, err := m.judge(r.Options, r.looks, pass, quiet, r.again > 0); done {
			return err
		}
		if r.again > 0 {
			r.hint, err = m.repeat(ctx, r.Options, r.hint)
		} else {
			r.hint, err = m.pause(ctx, r.Options, pass)
		}
		if err != nil {
			return err
		}
	}
}

// running is what Run keeps from one look to the next.
type running struct {
	Options    // but Full only until a crawl has done so
	hint       marker.Hint
	looks      int       // that were begun
	root       seen      // what was seen of the secondary before the first look
	last       sdk.XTime // root xtime of the last turn
	again      int       // turns that were made at once after another, by one that is to be repeated
	names      bool      // the last turn wants all names known
	unfinished bool      // it met what a look must have been too early for, or merely was gone again
}

// takeTurn looks at the primary and brings over what there is. quiet says that the
// secondary holds everything then.
func (m *Mirror) takeTurn(ctx context.Context, r *running) (pass marker.Pass, quiet bool, err error) {
	m.Tracker.SetState(report.Looking, nil)
	r.looks++
	sweep := m.sweeps() && (r.hint.Sweep || m.sweepDue())
	r.hint.Sweep = r.hint.Sweep || sweep || r.names
	began := m.Clock()
	pass, err = m.Marker.Refresh(ctx, m.Source, r.hint)
	m.Detector.Done(pass, 0)
	if err != nil {
		return pass, false, fmt.Errorf("look at the primary: %w", err)
	}
	m.Tracker.Update(func(s *report.Snapshot) { s.Entries, s.Bytes, s.Turns = pass.Entries, pass.Bytes, int64(r.looks) })
	if quiet, err = m.look(ctx, pass, r.root); err != nil {
		return pass, false, err
	}
	r.root = seen{} // the next look sees for itself
	if sweep && !pass.Swept {
		sweep = false
		m.sweepLater()
	}
	r.hint.Sweep = false
	switch {
	case r.Full || sweep || !quiet && (pass.Root != r.last || r.again > 0 || r.unfinished || m.due()):
		quiet, err = m.bring(ctx, r, pass, sweep, began)
	case !quiet && !m.ledger.any():
		err = errors.New("the secondary's root keeps no mark: does anything else change it?")
	}
	return pass, quiet, err
}

// bring crawls after a pass, for a sweep that began then if sweep is set. clean says
// that the secondary holds everything.
func (m *Mirror) bring(ctx context.Context, r *running, pass marker.Pass, sweep bool, began time.Time) (clean bool, err error) {
	r.last = pass.Root
	m.Tracker.SetState(report.Syncing, nil)
	m.expect(pass)
	out, err := m.crawlOnce(ctx, pass, r.Full, sweep)
	m.Tracker.Update(func(s *report.Snapshot) { s.Expected, s.PendingFiles, s.PendingBytes = 0, 0, 0 })
	if err != nil {
		return false, err
	}
	r.Full, m.Adopt = false, false
	if err := m.adopted(out.clean); err != nil {
		return false, err
	}
	if sweep {
		if err := m.swept(began, out.saw); err != nil {
			return false, err
		}
	}
	r.names = out.names
	r.unfinished = out.again || len(m.astray)+len(m.replaced) > 0 || !out.clean && !m.ledger.any()
	if r.again++; !out.again || r.again > maxAgain {
		r.again = 0
	}
	return out.clean, nil
}

// judge sets the state after a look and says whether Run is to end, and how.
func (m *Mirror) judge(opts Options, look int, pass marker.Pass, quiet, again bool) (bool, error) {
	state := report.Waiting
	if quiet {
		state = report.InSync
		m.ledger.begin()
		m.ledger.settle(func(sdk.Path, map[sdk.Path]bool) bool { return true })
	}
	m.Tracker.SetState(state, nil)
	var end error
	if !quiet {
		end = ErrProblems
	}
	switch {
	case opts.Turns > 0 && look >= opts.Turns:
		return true, end
	case !opts.Once || again:
		return false, nil
	case look >= onceLooks:
		if quiet {
			m.notice("the primary keeps changing; the secondary holds the state that the last look found")
		}
		return true, end
	case quiet:
		// What a turn brought may have changed since: only a look that finds
		// nothing new ends it.
		return !pass.Changed && !pass.Racy, nil
	case len(m.astray)+len(m.replaced) > 0:
		return false, nil
	}
	_, worth := m.ledger.worthwhile(m.Retry.Attempts)
	if pass.Changed || worth {
		return false, nil
	}
	if !m.ledger.any() {
		// No entry is to blame, and the exit code alone would leave people guessing.
		m.notice("the sides are not equal yet: what the primary lists and what it then says of single names do not agree")
	}
	return true, end
}

// onceLooks bounds how long Once follows a primary that never rests.
const onceLooks = 10

// eventTime is how long a repeated look waits for events of what made it due.
const eventTime = 10 * time.Millisecond

// repeat gives the hint for a look that repeats the one before at once.
func (m *Mirror) repeat(ctx context.Context, opts Options, last marker.Hint) (marker.Hint, error) {
	switch {
	case !m.Detector.Events():
		return last, nil
	case opts.Once:
		return m.Detector.Next(ctx)
	}
	wait, cancel := context.WithTimeout(ctx, eventTime)
	defer cancel()
	hint, err := m.Detector.Next(wait)
	if err != nil && ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) {
		return marker.Hint{}, nil // what is in doubt is looked at in any case
	}
	return hint, err
}

// pause waits until it is time to look again.
func (m *Mirror) pause(ctx context.Context, opts Options, pass marker.Pass) (marker.Hint, error) {
	all := marker.Hint{All: !m.Detector.Events()}
	if opts.Once {
		at, worth := m.ledger.worthwhile(m.Retry.Attempts)
		err := ctx.Err()
		switch {
		case pass.Racy:
			err = sleep(ctx, pass.Beacon.Window)
		case worth && !pass.Changed:
			err = sleep(ctx, at.Sub(m.Clock()))
		}
		if err != nil || !m.Detector.Events() {
			return all, err
		}
		return m.Detector.Next(ctx)
	}
	wait, cancel := ctx, context.CancelFunc(func() {})
	at, ok := m.ledger.next()
	if sweep, on := m.sweepAt(); on && (!ok || sweep.Before(at)) {
		at, ok = sweep, true
	}
	if ok {
		// One that is overdue was not met by the last turn: it must not drive us.
		if soonest := m.Clock().Add(m.Retry.Min); at.Before(soonest) {
			at = soonest
		}
		wait, cancel = context.WithTimeout(ctx, at.Sub(m.Clock()))
	}
	defer cancel()
	hint, err := m.Detector.Next(wait)
	if err != nil && ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) {
		return all, nil // a problem's next try has come, or a sweep
	}
	return hint, err
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// due reports whether some problem is to be tried again.
func (m *Mirror) due() bool {
	at, ok := m.ledger.next()
	return ok && !m.Clock().Before(at)
}

// look compares the root's mark with the root's xtime: the one comparison that a
// quiet tree costs. What is mounted or put in the place of a side while the
// mirror runs must neither be filled nor be taken for what is in sync, so it also
// makes sure that both sides still are what they were. root, if it is young
// enough, is what was seen of the secondary before.
func (m *Mirror) look(ctx context.Context, pass marker.Pass, root seen) (quiet bool, err error) {
	var now Session
	var id sdk.FileID
	err = both(func() (err error) {
		if now.Primary, err = m.identifyPrimary(ctx); err == nil {
			id, err = m.rootID(ctx)
		}
		return err
	}, func() (err error) {
		if m.Clock().Sub(root.at) > freshLook {
			root, err = m.lookAtRoot(ctx)
		}
		return err
	})
	if err != nil {
		return false, err
	}
	now.Secondary = root.id
	if err := differ(m.Session, now); err != nil {
		return false, err
	}
	mark, err := crawl.DecodeMark(root.self.Mark)
	carried := m.carries(id, &root.self)
	m.first = !carried && (err != nil || mark.XTime.IsZero())
	return carried || err == nil && mark.Holds(pass.Root, id), nil
}

// expect says how much a first synchronization will bring.
func (m *Mirror) expect(pass marker.Pass) {
	if m.first && m.empty {
		m.Tracker.Update(func(s *report.Snapshot) { s.Expected = pass.Bytes })
	}
}
