package mirror

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/gsyncd/gsyncd-host/host/marker"
	"github.com/gsyncd/gsyncd-host/host/mover"
	"github.com/gsyncd/gsyncd-host/host/report"
	"github.com/gsyncd/gsyncd-host/sdk"
)

// turn is one crawl. The walk goes on in one goroutine, the mover's results
// come in from others, and a third publishes what is ready.
type turn struct {
	*Mirror
	pass  marker.Pass
	full  bool
	every bool     // enter every directory, whatever its mark says
	since sdk.Time // what the marks of this turn will vouch for

	// astray are the directories that this turn leaves to the next: the walk's as
	// well.
	astray astray
	// replaced are the names under which the primary had something else than was listed,
	// or nothing, and for how many turns in a row.
	replaced map[sdk.Path]int

	// peopled says that there is something in the primary's root: it is the walk's
	// until that has ended.
	peopled bool

	jobs chan mover.Job
	wake chan struct{} // something can be published

	mu          sync.Mutex
	staged      []stagedFile
	stagedBytes int64
	metas       []entryOp
	parted      []*stagedFile // in place, but not all their names are one with them
	ready       []*node       // complete, but for attributes and mark
	final       []*node       // complete; the mark is due after the next sync
	links       []link
	removals    []*node            // directories with something to remove
	looked      map[sdk.Path]look  // directories above problems
	entered     map[sdk.Path]*node // but those made in this turn
	removed     int64              // entries removed so far, for the guard
	clean       bool               // the root has its mark
	again       bool               // something is to be looked at again at once
	noSpace     bool               // the secondary's disk is full: no use to send more
	blind       bool               // part of the primary could not be seen
	vanished    bool               // something was gone again when it was looked at
	nameless    bool               // a file has names that take a full pass to find
	doubts      doubts             // what the index is still to be told

	publishing sync.Mutex // one publish at a time
	telling    sync.Mutex // one tells the index at a time
}

// stagedFile is a file that lies beside its place.
type stagedFile struct {
	node   *node
	name   string
	path   sdk.Path
	staged sdk.Path
	entry  sdk.Entry
	moved  int64
	synced bool // its data is on the disk
}

// entryOp is an operation for one entry of a directory.
type entryOp struct {
	node  *node
	name  string
	op    sdk.Op
	of    *sdk.Entry // the primary's entry that it is about, as it was listed, where that matters
	child *node      // a new directory, which is entered only if this is done
	own   bool       // our bookkeeping: does not count
	must  bool       // if it cannot be done the turn ends
}

// Thresholds at which what is staged gets published while the walk goes on:
// large enough that a sync, and over a slow network the round trips around it,
// are paid by many files, small enough that a kill loses little.
const (
	publishFiles = 4 << 10
	publishBytes = 128 << 20
	publishAfter = 5 * time.Second
)

// look is how far a turn came with a directory above a problem.
type look uint8

const (
	lookNone   look = iota // nobody asked
	lookMissed             // not entered
	lookBegun              // entered, but not listed to the end
	lookWhole
)

// over reports whether a problem that a turn did not meet again is one no more:
// the listing that should have led to it was whole and did not. seen are the
// problems that the turn met.
func (t *turn) over(path sdk.Path, seen map[sdk.Path]bool) bool {
	for d := path.Dir(); !seen[d]; d = d.Dir() {
		switch t.looked[d] {
		case lookWhole:
			return true
		case lookBegun:
			return false
		}
		if d == sdk.Root {
			return false
		}
	}
	return false
}

// outcome is how a turn ended.
type outcome struct {
	clean bool // the secondary holds all that the pass saw
	again bool // something has to be looked at again at once
	saw   bool // all of the primary was seen
	names bool // a full pass is needed for the names of files
}

// crawlOnce does one turn.
func (m *Mirror) crawlOnce(ctx context.Context, pass marker.Pass, full, every bool) (outcome, error) {
	rootID, err := m.rootID(ctx)
	if err != nil {
		return outcome{}, err
	}
	t := &turn{
		Mirror: m, pass: pass, full: full, every: every || full,
		since:  pass.Beacon.Now.Add(-pass.Beacon.Window.Nanoseconds()),
		jobs:   make(chan mover.Job, 512),
		wake:   make(chan struct{}, 1),
		looked: map[sdk.Path]look{},
		astray: astray{}, replaced: map[sdk.Path]int{},
	}
	m.ledger.begin()
	for _, p := range m.ledger.paths() {
		for d := p.Dir(); t.looked[d] == lookNone; d = d.Dir() {
			t.looked[d] = lookMissed
		}
	}
	root := &node{path: sdk.Root, id: rootID, xtime: pass.Root, open: 1}
	t.entered = map[sdk.Path]*node{sdk.Root: root}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	err = t.run(ctx, cancel, root)
	if err != nil {
		t.sweep(ctx)
		if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
			err = cause
		}
		return outcome{}, err
	}
	m.ledger.settle(t.over)
	m.astray, m.replaced = t.astray, t.replaced
	return outcome{clean: t.clean, again: t.again, names: t.nameless, saw: !t.blind && pass.Unlisted == 0}, nil
}

func (t *turn) run(ctx context.Context, cancel context.CancelCauseFunc, root *node) error {
	if err := t.moveDirs(ctx); err != nil {
		return err
	}
	var side sync.WaitGroup
	side.Go(func() { // the mover
		if err := t.Mover.Run(ctx, t.jobs, t.result); err != nil {
			cancel(fmt.Errorf("bring files: %w", err))
			for range t.jobs { // let the walk see the cancellation
			}
		}
	})
	moved := make(chan struct{})
	var publisher sync.WaitGroup
	publisher.Go(func() { // publishes while the walk goes on
		if err := t.publishLoop(ctx, moved); err != nil {
			cancel(err)
		}
	})
	err := t.walk(ctx, root)
	if err != nil {
		cancel(err)
	}
	t.Logger.Debug("walked")
	close(t.jobs)
	side.Wait()
	t.Logger.Debug("all files brought beside their places")
	close(moved)
	publisher.Wait()
	if err := context.Cause(ctx); err != nil {
		return err
	}
	return t.finish(ctx)
}

// finish does what has to wait until all files are there.
func (t *turn) finish(ctx context.Context) error {
	if err := t.publish(ctx); err != nil {
		return err
	}
	if err := t.makeLinks(ctx); err != nil {
		return err
	}
	if err := t.removeStrangers(ctx); err != nil {
		return err
	}
	if err := t.settle(ctx); err != nil {
		return err
	}
	if err := t.publish(ctx); err != nil {
		return err
	}
	return t.saveMethods()
}

func (t *turn) saveMethods() error {
	stats := t.Mover.Stats()
	methods := make([]report.Method, 0, len(stats))
	for _, s := range stats {
		methods = append(methods, report.Method{Name: s.Method, Files: int64(s.Files), Bytes: s.Bytes, Moved: s.Moved, Seconds: s.Seconds, Reasons: s.Reasons})
	}
	t.Tracker.Update(func(s *report.Snapshot) { s.Methods = methods })
	return nil
}

// release takes one token from n; the last makes it ready. The lock is held.
func (t *turn) release(n *node) {
	n.open--
	if n.open == 0 {
		t.ready = append(t.ready, n)
	}
}

// fail records that an entry of n could not be done and takes its token.
func (t *turn) fail(n *node, name string, side sdk.Role, err *sdk.Error) {
	t.ledger.raise(n.path.Join(name), side, err)
	t.mu.Lock()
	defer t.mu.Unlock()
	n.failName(name)
	t.release(n)
}

// result takes what the mover says of one file.
func (t *turn) result(r mover.Result) {
	n := r.Job.Tag.(*node)
	name := r.Job.Path.Base()
	t.noteLost(r.Lost)
	if r.Beside {
		t.mu.Lock()
		root := n
		for root.parent != nil {
			root = root.parent
		}
		root.touched = true
		t.mu.Unlock()
	}
	t.Tracker.Update(func(s *report.Snapshot) {
		s.PendingFiles--
		s.PendingBytes -= r.Job.Entry.Size
	})
	if r.Err != nil {
		if !r.Busy && t.gone(r.Job.Path, r.Err) {
			// It may come back as it was, if a directory above was away for a moment, so
			// it is remembered.
			t.mu.Lock()
			t.vanished = true
			n.failName(name)
			t.release(n)
			t.mu.Unlock()
			return
		}
		if r.Err.Kind == sdk.KindChanged {
			t.mu.Lock()
			t.vanished = true
			t.mu.Unlock()
		}
		if r.Err.Kind == sdk.KindNoSpace {
			t.mu.Lock()
			t.noSpace = true
			t.mu.Unlock()
		}
		t.fail(n, name, sideOf(&r), r.Err)
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.doubtUnless(n, &r.Job.Entry, &r.Entry)
	if r.Entry.ID != r.Job.Entry.ID {
		// A newer file, or that of another directory which stands here now: good
		// enough to be seen, but the listing does not vouch for it.
		n.failName(name)
	}
	if r.Unchanged {
		op := sdk.Op{Kind: sdk.OpSetMeta, Path: r.Job.Path, Meta: sdk.MetaOf(&r.Entry, sdk.MetaAll)}
		t.metas = append(t.metas, entryOp{node: n, name: name, op: op})
		f := stagedFile{path: r.Job.Path, entry: r.Entry}
		if names := t.others(&f); r.Job.Old != nil && int(r.Job.Old.Nlink) <= len(names) {
			t.parted = append(t.parted, &f)
		}
	} else {
		t.staged = append(t.staged, stagedFile{node: n, name: name, path: r.Job.Path, staged: r.Job.Staged, entry: r.Entry, moved: r.Moved, synced: r.Synced})
		t.stagedBytes += r.Entry.Size
	}
	if len(t.staged)+len(t.metas) >= publishFiles || t.stagedBytes >= publishBytes {
		select {
		case t.wake <- struct{}{}:
		default:
		}
	}
}

// maxGone is for how many turns in a row something that is listed may not be there
// when it is looked at: more than once happens to what comes and goes all the time.
const maxGone = 3

// gone reports whether an error of the primary says no more than that something is not
// there any more, or that something else is, since it was listed: the next pass tells.
// What is something else in two turns in a row, or not there in more than maxGone, is
// not what it is listed as, and a problem.
func (t *turn) gone(path sdk.Path, err *sdk.Error) bool {
	if err == nil {
		return true
	}
	patience := 1
	switch err.Kind {
	case sdk.KindChanged:
	case sdk.KindNotExist:
		patience = maxGone
	default:
		return false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	turns := t.Mirror.replaced[path]
	if turns >= patience || t.ledger.has(path, err.Kind) {
		return false
	}
	t.replaced[path] = turns + 1
	return true
}

// missed notes that the turn did not see all of the primary, be it that something was
// merely gone again. The lock is held.
func (t *turn) missed(gone bool) {
	if gone {
		t.vanished = true
	} else {
		t.blind = true
	}
}

// sideOf says which side an error of the mover is about. Where the mover does not know
// it is a guess: it reads from the primary, and only the other's disk can be full.
func sideOf(r *mover.Result) sdk.Role {
	switch {
	case r.Side != 0:
		return r.Side
	case r.Err.Kind == sdk.KindNoSpace:
		return sdk.Secondary
	}
	return sdk.Primary
}

// stagedName gives a new name of our own in the directory of path.
func (m *Mirror) stagedName(path sdk.Path) sdk.Path {
	m.serial++
	return path.Dir().Join(fmt.Sprintf("%s%s.%d", sdk.ReservedPrefix, m.run, m.serial))
}
