package watch

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/gsyncd/gsyncd-host/host/marker"
	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/localfs"
)

// Choice says by what changes are noticed.
type Choice struct {
	Kind string // Scan where there are no events
	// Refused are the better kinds that are not to be had, or failed.
	Refused []Refusal
}

// tryTime is the shortest pause between two tries of kinds that were refused before:
// each takes some milliseconds, and a second where events do not come through.
const tryTime = time.Minute

// Chooser asks for looks by the best kind of events that works, and where none does for
// looks at everything every now and then. Better kinds are tried again when a look at
// everything is due, so that it costs no look when one takes over; and when what is
// mounted at the primary is no longer what it was. Its methods are for one goroutine.
type Chooser struct {
	o    Options
	pace Pace
	make func(kind string, root *localfs.Root, o Options) (*Detector, error) // newDetector, but for tests

	hears  *Detector // nil: the tree is scanned
	better bool      // there are better kinds than its
	took   time.Time // when it began
	whole  bool      // a look at everything was due since better kinds were last tried
	bar    bar

	scan   *marker.ScanDetector
	mounts *mounts // nil: no kind can be had, whatever is mounted
	tried  time.Time
}

var _ marker.Detector = (*Chooser)(nil)

// Open tries the kinds of events, the best first, and listens. It has to be called
// before the first pass. The error is of a kind that was asked for by name and is not to
// be had, or of ctx.
func Open(ctx context.Context, o Options) (*Chooser, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Chosen == nil {
		o.Chosen = func(Choice) {}
	}
	c := &Chooser{o: o, pace: o.Pace.withDefaults(), make: newDetector, scan: marker.NewScanDetector(o.Scan)}
	refused, err := c.choose(ctx)
	if err == nil && c.hears == nil && len(refused) > 0 && o.Kind != Auto {
		err = o.demand(refused)
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	if c.hears == nil {
		c.o.Chosen(Choice{Scan, refused})
	}
	return c, nil
}

// Events reports whether hints tell where something happened. Otherwise each is one at
// everything.
func (c *Chooser) Events() bool { return c.hears != nil }

// Watch is to be called before directories are listed, with their identities and paths.
func (c *Chooser) Watch(ids []sdk.FileID, paths []sdk.Path) {
	if c.hears != nil {
		c.hears.Watch(ids, paths)
	}
}

// Done tells of a pass that just ended, as [marker.ScanDetector.Done] does.
func (c *Chooser) Done(p marker.Pass, cpu time.Duration) {
	switch {
	case c.hears != nil:
		c.hears.Done(p, cpu)
	case p.Swept:
		// Others are no scans: retries of problems must not put off the next one.
		c.scan.Done(p, cpu)
	}
}

// Next waits until a look is due.
func (c *Chooser) Next(ctx context.Context) (marker.Hint, error) {
	for {
		hint, due, try, err := c.wait(ctx)
		if err != nil {
			return marker.Hint{}, err
		}
		if try {
			was := c.hears
			refused, err := c.choose(ctx)
			if c.hears != was {
				continue // its first look is at all that this one would be at
			}
			if err == nil && c.hears == nil {
				c.o.Chosen(Choice{Scan, refused})
			}
		}
		if due {
			return hint, nil
		}
	}
}

// wait waits until a look is due, or for what makes it worth to try better kinds.
func (c *Chooser) wait(ctx context.Context) (hint marker.Hint, due, try bool, err error) {
	if c.hears != nil {
		hint, err = c.hears.Next(ctx)
		if errors.Is(err, errDeaf) {
			c.leave()
			return marker.Hint{}, false, c.bar.lifted(time.Now()), nil
		}
		c.whole = c.whole || hint.All && c.better
		if try = c.whole && c.bar.lifted(time.Now()); try {
			c.whole = false
		}
		return hint, err == nil, try, err
	}
	tick, cancel := context.WithTimeout(ctx, c.pace.Every)
	defer cancel()
	hint, err = c.scan.Next(tick)
	if err != nil && ctx.Err() != nil {
		return hint, false, false, err
	}
	due = err == nil
	// What is mounted otherwise while nothing may take over is so still when something may.
	try = c.bar.lifted(time.Now()) && (c.remounted() || due && time.Since(c.tried) >= tryTime)
	return hint, due, try, nil
}

// remounted reports whether other filesystems are mounted at the primary than when
// kinds were last tried.
func (c *Chooser) remounted() bool {
	if c.mounts == nil {
		return false
	}
	changed, err := c.mounts.changed()
	return changed && err == nil
}

// leave ends the use of a kind that failed. A look at everything is due.
func (c *Chooser) leave() {
	d := c.hears
	d.Close()
	c.o.lacks = c.o.lacks || d.past != nil && d.past.lacks
	c.hears, c.scan = nil, marker.NewScanDetector(c.o.Scan)
	c.bar.fell(time.Now(), c.took)
}

// choose has the best kind that works take over, if it is better than the one in use,
// and says why others are not to be had. The error is that of ctx.
func (c *Chooser) choose(ctx context.Context) (refused []Refusal, err error) {
	if c.o.Kind == Scan || c.o.Once && c.o.Kind != Auto && c.o.Kind != Btrfs {
		return nil, nil
	}
	kinds := []string{Fanotify, Inotify}
	switch {
	case c.o.Kind != Auto:
		kinds = []string{c.o.Kind}
	case c.o.Once:
		kinds = nil
	}
	root, why := openRoot(ctx, c.o.Source)
	defer func() {
		if root != nil {
			root.Close()
		}
	}()
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	c.tried = time.Now()
	c.forget()
	if why == nil {
		if c.o.Kind == Auto && onBtrfs(root) == nil {
			kinds = append([]string{Btrfs}, kinds...) // it is no news that others are not
		}
		// Before they are tried: what changes meanwhile is a change.
		c.mounts, why = openMounts(root)
	}
	for _, kind := range kinds {
		if c.hears != nil && kind == c.hears.name {
			c.forget()
			break
		}
		no := why
		if no == nil {
			var d *Detector
			if d, no = c.open(kind, root, refused); no == nil {
				root = nil // the detector's
				c.take(d, refused)
				return refused, nil
			}
		}
		refused = append(refused, Refusal{kind, no})
	}
	return refused, nil
}

// open makes a detector that does not listen yet.
func (c *Chooser) open(kind string, root *localfs.Root, refused []Refusal) (*Detector, error) {
	d, err := c.make(kind, root, c.o)
	if err != nil {
		return nil, err
	}
	d.deafed = func(err error) {
		c.o.Chosen(Choice{Scan, append(slices.Clone(refused), Refusal{kind, err})})
	}
	return d, nil
}

// take has a detector take over.
func (c *Chooser) take(d *Detector, refused []Refusal) {
	if c.hears != nil {
		c.hears.Close() // and says no word after that
	}
	c.forget()
	c.hears, c.better, c.took, c.whole = d, len(refused) > 0, time.Now(), false
	if d.without != nil {
		refused = append(slices.Clone(refused), *d.without)
	}
	c.o.Chosen(Choice{d.name, refused})
	go d.listen()
}

// forget ends the use of what is known of mounts.
func (c *Chooser) forget() {
	if c.mounts != nil {
		c.mounts.close()
		c.mounts = nil
	}
}

// Close ends all use. It may be called twice.
func (c *Chooser) Close() {
	c.forget()
	if c.hears != nil {
		c.hears.Close()
	}
}
