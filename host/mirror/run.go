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
	var last sdk.XTime                      // root xtime of the last turn
	m.Tracker.SetState(report.Looking, nil) // a filesystem with a history is waited for
	hint, err := m.Detector.Next(ctx)
	if err != nil {
		return err
	}
	hint.Sweep = hint.Sweep || opts.Full
	again, names := 0, false
	unfinished := false // the last turn met what a look must have been too early for, or merely was gone again
	for look := 1; ; look++ {
		m.Tracker.SetState(report.Looking, nil)
		sweep := m.sweeps() && (hint.Sweep || m.sweepDue())
		hint.Sweep = hint.Sweep || sweep || names
		began := m.Clock()
		pass, err := m.Marker.Refresh(ctx, m.Source, hint)
		m.Detector.Done(pass, 0)
		if err != nil {
			return fmt.Errorf("look at the primary: %w", err)
		}
		m.Tracker.Update(func(s *report.Snapshot) { s.Entries, s.Bytes, s.Turns = pass.Entries, pass.Bytes, int64(look) })
		quiet, err := m.look(ctx, pass, root)
		if err != nil {
			return err
		}
		root = seen{} // the next look sees for itself
		if sweep && !pass.Swept {
			sweep = false
			m.sweepLater()
		}
		hint.Sweep = false
		if opts.Full || sweep || !quiet && (pass.Root != last || again > 0 || unfinished || m.due()) {
			last = pass.Root
			m.Tracker.SetState(report.Syncing, nil)
			m.expect(pass)
			out, err := m.crawlOnce(ctx, pass, opts.Full, sweep)
			m.Tracker.Update(func(s *report.Snapshot) { s.Expected, s.PendingFiles, s.PendingBytes = 0, 0, 0 })
			if err != nil {
				return err
			}
			quiet, opts.Full, m.Adopt = out.clean, false, false
			if err := m.adopted(quiet); err != nil {
				return err
			}
			names = out.names
			if sweep {
				if err := m.swept(began, out.saw); err != nil {
					return err
				}
			}
			again++
			unfinished = out.again || len(m.astray)+len(m.replaced) > 0 || !out.clean && !m.ledger.any()
			if !out.again || again > maxAgain {
				again = 0
			}
		} else if !quiet && !m.ledger.any() {
			return errors.New("the secondary's root keeps no mark: does anything else change it?")
		}
		if done, err := m.judge(opts, look, pass, quiet, again > 0); done {
			return err
		}
		if again > 0 {
			if hint, err = m.repeat(ctx, opts, hint); err != nil {
				return err
			}
			continue
		}
		if hint, err = m.pause(ctx, opts, pass); err != nil {
			return err
		}
	}
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
