package mirror

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"github.com/gsyncd/gsyncd-host/host/report"
	"github.com/gsyncd/gsyncd-host/sdk"
)

// maxListed is how many problems are kept one by one; more are only counted.
const maxListed = 1000

// ledger holds the entries that could not be mirrored. Its methods may be
// called concurrently.
type ledger struct {
	retry   Retry
	clock   func() time.Time
	tracker *report.Tracker

	mu       sync.Mutex
	problems map[sdk.Path]*report.Problem
	seen     map[sdk.Path]bool // raised in the present turn
	excess   int               // raised in the present turn beyond maxListed
}

func newLedger(retry Retry, clock func() time.Time, tracker *report.Tracker) *ledger {
	return &ledger{retry: retry, clock: clock, tracker: tracker, problems: map[sdk.Path]*report.Problem{}, seen: map[sdk.Path]bool{}}
}

// begin opens a turn.
func (l *ledger) begin() {
	l.mu.Lock()
	defer l.mu.Unlock()
	clear(l.seen)
	l.excess = 0
}

// blocked reports whether path has a problem whose next try is yet to come.
func (l *ledger) blocked(path sdk.Path) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := l.problems[path]
	if p == nil || !l.clock().Before(p.Next) {
		return false
	}
	l.seen[path] = true
	return true
}

// raise records that path failed.
func (l *ledger) raise(path sdk.Path, side sdk.Role, err *sdk.Error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.clock()
	p := l.problems[path]
	if p == nil {
		if len(l.problems) >= maxListed {
			l.excess++
			return
		}
		p = &report.Problem{Path: path, Since: now}
		l.problems[path] = p
	}
	if !l.seen[path] {
		p.Attempts++
	}
	l.seen[path] = true
	p.Side, p.Kind, p.Cause = side, err.Kind, err.Error()
	p.Next = now.Add(l.wait(p.Attempts))
}

func (l *ledger) wait(attempts int) time.Duration {
	d := l.retry.Min
	for range attempts - 1 {
		if d >= l.retry.Max/2 {
			return l.retry.Max
		}
		d *= 2
	}
	return min(d, l.retry.Max)
}

// settle closes a turn: a problem that was not met again goes if over says so,
// which is told the problems that were. It publishes the list.
func (l *ledger) settle(over func(path sdk.Path, seen map[sdk.Path]bool) bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for path := range l.problems {
		if !l.seen[path] && over(path, l.seen) {
			delete(l.problems, path)
		}
	}
	list := make([]report.Problem, 0, len(l.problems))
	for _, p := range l.problems {
		list = append(list, *p)
	}
	slices.SortFunc(list, func(a, b report.Problem) int { return cmp.Compare(a.Path, b.Path) })
	count := len(list) + l.excess
	l.tracker.Update(func(s *report.Snapshot) { s.Problems, s.ProblemCount = list, count })
}

// paths lists the entries with problems.
func (l *ledger) paths() []sdk.Path {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := make([]sdk.Path, 0, len(l.problems))
	for p := range l.problems {
		out = append(out, p)
	}
	return out
}

// next gives the earliest time at which something is to be tried again; ok is
// false without problems.
func (l *ledger) next() (at time.Time, ok bool) {
	return l.earliest(func(*report.Problem) bool { return true })
}

// worthwhile is next for the problems that may pass within the given number of
// attempts: what is refused or not allowed stays so.
func (l *ledger) worthwhile(attempts int) (at time.Time, ok bool) {
	return l.earliest(func(p *report.Problem) bool {
		switch p.Kind {
		case sdk.KindTransient, sdk.KindChanged, sdk.KindBusy, sdk.KindNoSpace, sdk.KindNotExist:
			return p.Attempts < attempts
		}
		return false
	})
}

func (l *ledger) earliest(which func(*report.Problem) bool) (at time.Time, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, p := range l.problems {
		if which(p) && (!ok || p.Next.Before(at)) {
			at, ok = p.Next, true
		}
	}
	return at, ok
}

// any reports whether there is any problem.
func (l *ledger) any() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.problems) > 0
}

// has reports whether path has a problem of a kind.
func (l *ledger) has(path sdk.Path, kind sdk.Kind) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := l.problems[path]
	return p != nil && p.Kind == kind
}

// drop forgets path and all below it: they are gone on both sides.
func (l *ledger) drop(path sdk.Path) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for p := range l.problems {
		if p.Within(path) {
			delete(l.problems, p)
		}
	}
}
