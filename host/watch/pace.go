package watch

import "time"

// Defaults of Pace.
const (
	DefaultBusy  = 0.5
	DefaultEvery = 10 * time.Second
)

// Pace bounds how often a [Detector] asks for looks. Zero fields but Interval take
// their defaults.
type Pace struct {
	// Interval is the shortest pause between two looks.
	Interval time.Duration
	// Busy is the part of the time that looks, and what they lead to, may take while
	// changes go on and on. Short bursts are let through.
	Busy float64
	// Every is the longest pause between two looks while nothing happens: a look at
	// what is in doubt, which also finds that a side is no longer what it was.
	Every time.Duration
}

func (p Pace) withDefaults() Pace {
	if p.Busy <= 0 {
		p.Busy = DefaultBusy
	}
	p.Busy = min(p.Busy, 1)
	if p.Every <= 0 {
		p.Every = DefaultEvery
	}
	return p
}

const (
	// settleTime is how long a tree has to be quiet before a look: what makes a
	// file does several things to it. settleLimit is the longest wait for that.
	settleTime  = 4 * time.Millisecond
	settleLimit = 20 * time.Millisecond
	// gatherTime is how long an ear rests after it has heard something: the kernel
	// makes one event of what happens in a directory meanwhile.
	gatherTime = 3 * time.Millisecond
	// foreignTime is the longest that it rests while all that it hears is of other
	// trees on the filesystem.
	foreignTime = 16 * time.Millisecond
	// burst is how far looks may run ahead of their share. maxRest is the longest
	// rest that they have to make up for: after a long turn a rest saves nothing.
	burst   = time.Second
	maxRest = time.Second
)

// budget lets looks through as long as they keep to their share of the time. paid
// is when the looks so far would be paid for.
type budget struct {
	share float64
	paid  time.Time
}

// spend notes that a look and its turn took some time, up to now.
func (b *budget) spend(now time.Time, took time.Duration) {
	if began := now.Add(-took); b.paid.Before(began) {
		b.paid = began
	}
	b.paid = b.paid.Add(time.Duration(float64(took) / b.share))
	if latest := now.Add(burst + maxRest); b.paid.After(latest) {
		b.paid = latest
	}
}

// ready is when the next look may be.
func (b *budget) ready() time.Time { return b.paid.Add(-burst) }

// barLeast and barMost bound how long a kind of events that failed soon is kept from
// taking over once more.
const (
	barLeast = time.Minute
	barMost  = time.Hour
)

// bar keeps what fails again and again from taking over each time that it seems to
// work: that costs a look at everything, and so does the next failure. The first failure in a
// while bars nothing: what it was may be over, or another kind works.
type bar struct {
	until time.Time
	wait  time.Duration // after the next failure
}

// fell notes a failure, now, of what was in use since it took over.
func (b *bar) fell(now, took time.Time) {
	if now.Sub(took) >= barMost {
		b.wait = 0
	}
	b.until = now.Add(b.wait)
	b.wait = min(max(2*b.wait, barLeast), barMost)
}

// lifted reports whether anything may take over.
func (b *bar) lifted(now time.Time) bool { return !now.Before(b.until) }
