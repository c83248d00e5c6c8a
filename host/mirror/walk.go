package mirror

import (
	"context"
	"fmt"

	"github.com/gsyncd/gsyncd-host/host/crawl"
	"github.com/gsyncd/gsyncd-host/host/marker"
	"github.com/gsyncd/gsyncd-host/host/mover"
	"github.com/gsyncd/gsyncd-host/host/report"
	"github.com/gsyncd/gsyncd-host/sdk"
)

const (
	// chunkDirs is how many directories one Scan asks for: a round trip is paid
	// by many, and what is read ahead stays small.
	chunkDirs = 512
	// listAhead is how many chunks are being listed at a time: over a slow network
	// the next one is on its way while the last is compared.
	listAhead = 3
	// maxPath leaves room for the names of staged files.
	maxPath = sdk.MaxPath - 64
	// maxShown is how much of a path that is too long is shown.
	maxShown = 60
	// flushOps and flushSends are how many operations and files gather before they
	// are carried out. Operations are waited for, files are not.
	flushOps   = 4 * sdk.MaxBatch
	flushSends = 900
)

// walk visits root and what is below it, depth first but for what is listed
// ahead, so that what is waiting to be visited stays small.
func (t *turn) walk(ctx context.Context, root *node) error {
	w := &walker{turn: t, stack: []*node{root}, witness: marker.NewWitness(t.pass)}
	var ahead []*listing
	defer func() {
		for _, l := range ahead {
			l.close()
		}
	}()
	for len(w.stack)+len(ahead) > 0 {
		for len(w.stack) > 0 && len(ahead) < listAhead {
			ahead = append(ahead, w.list(ctx, w.pop()))
		}
		if err := w.visit(ctx, ahead[0]); err != nil {
			return err
		}
		ahead[0].close()
		ahead = ahead[1:]
		if err := w.flush(ctx); err != nil {
			return err
		}
	}
	return nil
}

// walker gathers the actions of the directories being visited.
type walker struct {
	*turn
	stack   []*node
	witness *marker.Witness

	ops   []entryOp
	sends []mover.Job
	// opsFirst says that some of ops must be done before some of sends.
	opsFirst bool
	dirs     []*node // to be entered once made
	// wants are the entries whose extended attributes have to be read before
	// their operation (an index into ops) can be done.
	wants []int
}

// pop takes the next directories that can be listed together.
func (w *walker) pop() []*node {
	last := len(w.stack) - 1
	fresh := w.stack[last].fresh
	from := last
	for from > 0 && last-from+1 < chunkDirs && w.stack[from-1].fresh == fresh {
		from--
	}
	chunk := append([]*node(nil), w.stack[from:]...)
	w.stack = w.stack[:from]
	return chunk
}

// listing is a chunk of directories that is being listed on both sides; s is nil
// where the secondary's are known to be empty.
type listing struct {
	chunk []*node
	p, s  *rows
}

// list begins to list a chunk.
func (w *walker) list(ctx context.Context, chunk []*node) *listing {
	dirs := make([]sdk.Path, len(chunk))
	for i, n := range chunk {
		dirs[i] = n.path
	}
	fields := sdk.FieldTarget
	if w.full {
		fields |= sdk.FieldXattrs
	}
	of := fields
	if w.Source.Info().Features&sdk.HasNative != 0 && !chunk[0].fresh {
		of |= sdk.FieldNative | sdk.FieldEntryNative // for crawl.Changed
	}
	l := &listing{chunk: chunk, p: scanRows(ctx, w.Source, sdk.ScanRequest{Dirs: dirs, Fields: of})}
	bare := w.bare
	w.bare = nil // of the first listing
	switch {
	case chunk[0].fresh:
	case bare != nil && !w.full && w.Clock().Sub(bare.at) <= freshLook:
		l.s = noRows(bare.self)
	default:
		l.s = scanRows(ctx, w.Target, sdk.ScanRequest{Dirs: dirs, Fields: fields | w.markFields()})
	}
	return l
}

// close ends the scans.
func (l *listing) close() {
	l.p.close()
	if l.s != nil {
		l.s.close()
	}
}

// visit compares the directories of a chunk on both sides.
func (w *walker) visit(ctx context.Context, l *listing) error {
	p, s := l.p, l.s
	for i, n := range l.chunk {
		if err := w.visitOne(ctx, i, n, p, s); err != nil {
			return err
		}
		if p.broken != nil {
			return fmt.Errorf("list the primary: %w", p.broken)
		}
		if s != nil && s.broken != nil {
			return fmt.Errorf("list the secondary: %w", s.broken)
		}
	}
	w.Tracker.Update(func(snap *report.Snapshot) { snap.Done.Visited += int64(len(l.chunk)) })
	return nil
}

// visitOne compares one directory. What it finds is carried out by flush.
func (w *walker) visitOne(ctx context.Context, i int, n *node, p, s *rows) error {
	selfP := p.begin(i)
	var selfS *sdk.Entry
	listS := func() *sdk.Entry { return nil }
	if s != nil {
		selfS = s.begin(i)
		listS = func() *sdk.Entry { return s.entry(i) }
	}
	switch {
	case selfP == nil:
		s.skip(i)
		w.lost(n, sdk.Primary, p.end(i))
		return nil
	case s != nil && selfS == nil:
		p.skip(i)
		w.lost(n, sdk.Secondary, s.end(i))
		return nil
	case selfS != nil && selfS.Mount:
		p.skip(i)
		s.skip(i)
		w.lost(n, sdk.Secondary, &sdk.Error{Kind: sdk.KindUnsupported, Op: "enter", Path: n.path, Msg: "another filesystem is mounted there on the secondary"})
		return nil
	case selfP.ID != n.id || selfP.Mount:
		// Another directory stands here since the parent was listed, or a
		// filesystem was mounted, whose entries the driver does not give; the
		// next pass tells.
		p.skip(i)
		s.skip(i)
		w.lost(n, sdk.Primary, nil)
		return nil
	}
	if selfS != nil {
		n.on, n.native = selfS.ID, selfS.Native
		if m, err := crawl.DecodeMark(selfS.Mark); w.every && !w.full && err == nil && m.Holds(n.xtime, n.id) {
			n.was = m
		}
	}
	v := w.visitOf(n, selfP, selfS)
	n.self = *selfP
	if selfS != nil {
		n.mask = w.policy.MetaDiff(selfP, selfS, v.Xattrs)
		n.differs = n.mask != 0
		_, failed := v.Again[self]
		if failed || v.Begun || !(v.Trust == crawl.TrustSince && crawl.Changed(selfP).Compare(v.Since) < 0) {
			n.mask = sdk.MetaAll
		}
		w.begin(n, selfS)
	} else {
		n.mask = sdk.MetaAll
	}
	w.witness.Begin(selfP)
	listP := func() *sdk.Entry {
		e := p.entry(i)
		if e != nil {
			w.witness.Entry(e)
		}
		w.peopled = w.peopled || e != nil && n.parent == nil && !sdk.Reserved(e.Name)
		if e != nil && w.namesMissing(e) {
			w.mu.Lock()
			n.failName(e.Name)
			w.mu.Unlock()
		}
		return e
	}
	for a := range w.policy.Merge(n.path, v, listP, listS) {
		if a.S == nil && s != nil && s.cut(i) {
			continue // it may be there: made anew, it would be taken for empty
		}
		if err := w.take(ctx, n, a); err != nil {
			return err
		}
		if err := w.flushFull(ctx, n); err != nil {
			return err
		}
	}
	errP := p.end(i)
	var errS *sdk.Error
	if s != nil {
		errS = s.end(i)
	}
	changed := errP == nil && w.Marker.Differs(n.id, w.witness)
	w.mu.Lock()
	if changed || errP != nil && n.held() {
		w.doubt(n)
	}
	n.visited = errP == nil && errS == nil
	if !n.visited {
		n.removes = nil // never after an incomplete listing
	} else if w.looked[n.path] != lookNone {
		w.looked[n.path] = lookWhole
	}
	if len(n.removes) > 0 {
		n.open++
		w.removals = append(w.removals, n)
	}
	w.mu.Unlock()
	switch {
	case errP != nil:
		w.lost(n, sdk.Primary, errP)
	case errS != nil:
		w.lost(n, sdk.Secondary, errS)
	default:
		w.mu.Lock()
		w.release(n)
		w.mu.Unlock()
	}
	return nil
}

// begin replaces the mark of a directory about to be changed by one that claims
// nothing yet, where it is not such a mark already. A mark that still holds is
// met when everything is compared: if that broke off half-way, the mark would
// hide what was left undone. And a directory of ours without a mark would, after
// a kill, be looked at as one that others filled.
func (w *walker) begin(n *node, s *sdk.Entry) {
	begun := crawl.Mark{Dir: n.id, Since: w.since}
	op := entryOp{own: true}
	m, err := crawl.DecodeMark(s.Mark)
	switch {
	case err == nil && m.Dir != n.id: // the root's: below it was seen to before
		op.op, op.must = w.disown(n, s), true
		w.ops, w.opsFirst = append(w.ops, op), true
		return
	case err == nil && w.full && !m.XTime.IsZero():
		begun.Dir, begun.Since = m.Dir, m.Since
		op.must = true
	case s.Mark == nil && !s.Native.IsZero():
		// It has what classic gsyncd brings. After a kill nothing may vouch for
		// what that does not bring.
		begun.Since = sdk.Time{}
	case s.Mark == nil && w.Session.Adopted:
	default:
		return
	}
	op.op = sdk.Op{Kind: sdk.OpSetMark, Path: n.path, Mark: begun.Encode(), Native: s.Native}
	w.ops = append(w.ops, op)
	w.opsFirst = true
}

// namesMissing reports whether e may have names that the pass did not see,
// because some directory could not be listed, or need not be, or some entry
// could not be described. It is mirrored for what is known, but nothing may vouch
// for that.
func (w *walker) namesMissing(e *sdk.Entry) bool {
	if w.pass.NamesKnown && w.pass.Unlisted+w.pass.Unseen == 0 || e.Type != sdk.TypeRegular || e.Nlink < 2 || len(w.Marker.Links(e.ID)) >= int(e.Nlink) {
		return false
	}
	w.mu.Lock()
	w.nameless = w.nameless || !w.pass.NamesKnown
	w.again = w.again || !w.pass.NamesKnown || w.pass.Unseen > 0
	w.mu.Unlock()
	return true
}

// visitOf says how far equal looks count in n.
func (w *walker) visitOf(n *node, selfP, selfS *sdk.Entry) crawl.Visit {
	if n.fresh {
		return crawl.Visit{Trust: crawl.TrustNothing}
	}
	v := crawl.NewVisit(selfS.Mark, selfP.ID, w.pass.Beacon.Now, w.full)
	v.Xattrs = w.full
	if v.Trust == crawl.TrustLooks && !selfS.Native.IsZero() {
		v.Since = sdk.Time{Sec: int64(selfS.Native.Sec) - nativeSlack}
	}
	w.mu.Lock()
	part, ok := w.partial[n.id]
	w.mu.Unlock()
	if ok && !w.full && v.Trust == crawl.TrustSince && part.path == n.path && part.on == n.on && !n.on.IsZero() {
		v.Since, v.Again = part.since, part.again
	}
	return v
}

// lost ends the visit of a directory that could not be listed. Without an error it
// is another one.
func (w *walker) lost(n *node, side sdk.Role, err *sdk.Error) {
	gone := side == sdk.Primary && w.gone(n.path, err)
	if err != nil && !gone {
		w.ledger.raise(n.path, side, err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if side == sdk.Primary {
		w.missed(gone)
	}
	n.failed = true
	w.release(n)
}

func (m *Mirror) notice(text string) {
	if m.Tracker.Notice(text) {
		m.Logger.Warn(text)
	}
}
