package watch

import (
	"context"
	"errors"
	"fmt"
	"path"
	"time"

	"github.com/gsyncd/gsyncd-host/host/marker"
	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/localfs"
)

const (
	// pollTime is the pause between two looks whether the filesystem was changed at
	// all, where no event tells.
	pollTime = time.Second
	// patience is how long a hint waits for a commit that is under way: one that a
	// pass overtakes makes no point.
	patience = 200 * time.Millisecond
	// commitShare bounds what commits cost others that write, and searches us: after one the
	// pause is at least so many times as long as it took.
	commitShare = 10
	// muchElse is how many items may have been looked at before a new point is due,
	// though none was of the tree, so that the next start need not go through them once
	// more: some seconds' search.
	muchElse = 1 << 20
)

// history is what the filesystem knows of its own past: in which directories
// anything changed since a point. It is asked at the start, when events were lost,
// and every now and then, for what raises none. Next's goroutine alone uses it.
type history struct {
	volume *volume
	mounts *mounts
	kept   func() marker.Point
	every  time.Duration
	silent bool // no events tell
	each   bool // each hint is to have all that happened before it

	begun bool         // the first hint was given
	at    uint64       // all up to this transaction was told of
	since marker.Point // where the first hint begins
	// until is a point for the next hint, if no more passes than these have ended
	// before it: a listing may show what is not on disk yet, so that the point would
	// come too early for it.
	until  marker.Point
	passes uint64
	// early is such a point which the filesystem's answer may be too late for: what was
	// written meanwhile has to be on disk first.
	early  marker.Point
	given  marker.Point // the last one that a hint had
	seen   int          // items that were looked at since then
	lacks  bool         // the disk may lack what was written to it, and listings show it: no point is sound
	failed bool         // the last answer did not come, and that was said

	committing bool
	missed     bool // events, so that the commit's outcome is needed
	again      bool // another one is due at once
	began      time.Time
	ended      time.Time
	took       time.Duration // those that came one right after the other
	next       time.Time     // when a commit is due
	done       chan committed
}

// committed is the outcome of a commit.
type committed struct {
	transaction uint64
	err         error
	passes      uint64        // that had ended when it began
	took        time.Duration // it, and the searches that it led to
}

// openHistory finds out whether the filesystem of root keeps a history.
func openHistory(root *localfs.Root, m *mounts, o Options, every time.Duration) (*history, error) {
	if err := onBtrfs(root); err != nil {
		return nil, err
	}
	if o.Source.Info().Features&sdk.CrossesMounts != 0 {
		return nil, errors.New("the primary may span filesystems, each of which would have a history of its own; leave cross_mounts out")
	}
	v, err := openVolume(root.FD())
	if err != nil {
		return nil, err
	}
	return &history{volume: v, mounts: m, kept: o.Index.Point, every: every, lacks: o.lacks, done: make(chan committed, 1)}, nil
}

func onBtrfs(root *localfs.Root) error {
	fs, err := root.Filesystem()
	if err != nil {
		return err
	}
	if fs.Type != "btrfs" {
		return fmt.Errorf("the primary is on %s, which keeps no history", fs.Type)
	}
	return nil
}

// begin begins a commit, if one is due, and calls wake when it has ended.
func (h *history) begin(now time.Time, passes uint64, wake func()) {
	if now.Before(h.next) {
		return
	}
	if h.silent && h.begun && now.Sub(h.ended) < h.every {
		if open, err := h.volume.running(); err != nil || open == h.at {
			h.next = now.Add(pollTime)
			return
		}
	}
	if !h.volume.use() {
		return
	}
	h.committing, h.began = true, now
	go func() {
		defer wake()
		defer h.volume.release()
		c, began := committed{passes: passes}, time.Now()
		c.transaction, c.err = h.volume.commit()
		c.took = time.Since(began)
		h.done <- c
	}()
}

// end ends a commit that was begun, and what it led to. Took is how long both took: a look
// may have come in between, and what that led to.
func (h *history) end(now time.Time, took time.Duration) {
	pause := h.every
	if h.silent || !h.begun {
		// Soon after the first, which leads to the most, a point is due that has it behind.
		pause = pollTime
	}
	h.committing, h.ended = false, now
	h.took += took
	if h.again {
		h.again, h.next = false, now
		return
	}
	h.next, h.took = now.Add(max(pause, commitShare*h.took)), 0
}

// due puts a hint off that would be due at some time.
func (h *history) due(at time.Time) time.Time {
	switch {
	case !h.committing:
		return at
	case !h.begun || h.each:
		return h.began.Add(forever) // or when its end is told
	}
	return later(at, h.began.Add(patience))
}

// forever is longer than any commit takes.
const forever = 1000 * time.Hour

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

// add completes a hint, before which so many passes ended, and reports whether it has a
// point.
func (h *history) add(hint *marker.Hint, passes uint64) bool {
	if !h.begun && !hint.All {
		hint.Since = h.since
	}
	h.begun = true
	if h.each {
		h.next = time.Time{}
	}
	if h.until != "" && h.passes == passes {
		hint.Until, h.given, h.seen = h.until, h.until, 0
	}
	h.until = ""
	return hint.Until != ""
}

// recall asks the filesystem for its history if that is due, or takes the answer.
func (d *Detector) recall(ctx context.Context) {
	h := d.past
	if h == nil || !h.volume.use() {
		return
	}
	defer h.volume.release()
	if h.committing {
		select {
		case c := <-h.done:
			asked := time.Now()
			ended := d.consult(ctx, c)
			c.took += time.Since(asked)
			if !ended {
				h.done <- c // for who comes next, with more time
				return
			}
			h.end(time.Now(), c.took)
		default:
			return
		}
	}
	d.mu.Lock()
	passes := d.passes
	if d.missed {
		d.missed, h.missed, h.next = false, true, time.Time{}
	}
	d.mu.Unlock()
	h.begin(time.Now(), passes, d.rouse)
}

// consult tells of all that changed up to a commit. If that is needed and cannot be found
// out, all of the tree is to be looked at. It reports whether it came to an end before ctx.
func (d *Detector) consult(ctx context.Context, c committed) bool {
	h := d.past
	if changed, err := d.mounts.changed(); changed || err != nil {
		d.tell(nil, true)
	}
	since, err := h.at, c.err
	if err == nil && !h.begun {
		h.since = h.kept()
		h.given = h.since
		since, err = h.compare(h.since, c.transaction)
		d.mounted()
	}
	began, known, seen, still := time.Now(), 0, 0, true
	if err == nil && since != c.transaction {
		seen, err = h.volume.changes(ctx, since, func(id sdk.FileID) {
			if d.hear(id) {
				known++
			}
		})
		open, unclear := h.volume.running()
		still = unclear == nil && open == c.transaction
	}
	if c.err != nil && !h.lacks {
		h.lacks = true
		d.log.Warn("the disk may lack what was written to the primary: no later point in its history is kept until the mirror is started again", "error", c.err)
	}
	if ctx.Err() != nil {
		return false
	}
	h.seen += seen
	log := d.log.With("transaction", c.transaction, "since", since, "directories", known, "took", time.Since(began))
	switch {
	case err == nil && h.begun:
		log.Debug("the filesystem told what changed")
	case err == nil:
		log.Info("the filesystem told what changed since the primary was last looked at")
	case !h.begun || h.missed || h.each:
		d.log.Info("all of the primary is looked at", "reason", err)
		d.tell(nil, true)
	case h.silent:
		d.fail(err)
		return true
	default:
		if !h.failed {
			d.log.Warn("the filesystem does not tell what changed: what raises no event is left to sweeps", "error", err)
		}
		h.failed = true
		return true // the next commit is asked for the same
	}
	if h.missed = false; c.err != nil {
		return true
	}
	if h.failed {
		h.failed = false
		d.log.Info("the filesystem tells what changed again")
	}
	h.at = c.transaction
	d.mu.Lock()
	defer d.mu.Unlock()
	if h.lacks || h.begun && !d.newer && known == 0 && err == nil && h.seen < muchElse && h.given == h.kept() && h.early == "" {
		return true // the point before will do
	}
	early := h.early
	if h.early = ""; still {
		h.until, h.passes = h.point(c.transaction), c.passes
	} else if !h.settle(early, d.passes, c) {
		return true
	}
	d.beat = time.Now()
	return true
}

// mounted tells of the directories in which something is mounted: the owner and the mode
// that a listing shows there are those of what is mounted, which has no part in the
// history.
func (d *Detector) mounted() {
	last := ""
	for _, at := range d.mounts.below() {
		if last != "" && within(at, last) {
			continue // in what is not entered
		}
		last = at
		dir, err := d.root.OpenPath(sdk.Path(path.Dir(at)))
		if sdk.KindOf(err) == sdk.KindNotExist {
			continue // what is mounted above it covers it
		}
		if err == nil {
			var self sdk.Entry
			if self, err = dir.Stat(); err == nil {
				d.hear(self.ID)
			}
			dir.Close()
		}
		if err != nil {
			d.log.Debug("all of the primary is looked at", "mounted", at, "error", err)
			d.tell(nil, true)
		}
	}
}

// settle finds the point for the next hint after an answer while which something was
// written. A file that changed before the commit may have gone from its directory then,
// which the answer does not lead to. A power cut would put it back, and a start from
// this commit would not find it, unless what was written is on disk as well: that takes
// one more commit, before any pass. early is the point that waited for this one.
func (h *history) settle(early marker.Point, passes uint64, c committed) bool {
	switch {
	case early == "":
		h.until, h.early, h.passes, h.again = "", h.point(c.transaction), c.passes, true
		return false
	case h.passes != passes:
		return false // overtaken: another will come
	}
	h.until = early
	return true
}
