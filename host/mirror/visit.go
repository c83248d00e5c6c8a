package mirror

import (
	"context"
	"fmt"

	"github.com/gsyncd/gsyncd-host/host/crawl"
	"github.com/gsyncd/gsyncd-host/host/report"
	"github.com/gsyncd/gsyncd-host/sdk"
)

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
	selfP, selfS := w.meet(i, n, p, s)
	if selfP == nil {
		return nil
	}
	v := w.compareSelf(n, selfP, selfS)
	w.witness.Begin(selfP)
	listP := func() *sdk.Entry {
		e := p.entry(i)
		if e != nil {
			w.listed(n, e)
		}
		return e
	}
	listS := func() *sdk.Entry { return nil }
	if s != nil {
		listS = func() *sdk.Entry { return s.entry(i) }
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
	w.end(i, n, p, s)
	return nil
}

// meet takes what n itself is on both sides. If its entries cannot be compared the
// visit is over, and nothing is returned.
func (w *walker) meet(i int, n *node, p, s *rows) (selfP, selfS *sdk.Entry) {
	selfP = p.begin(i)
	if s != nil {
		selfS = s.begin(i)
	}
	switch {
	case selfP == nil:
		s.skip(i)
		w.lost(n, sdk.Primary, p.end(i))
	case s != nil && selfS == nil:
		p.skip(i)
		w.lost(n, sdk.Secondary, s.end(i))
	case selfS != nil && selfS.Mount:
		p.skip(i)
		s.skip(i)
		w.lost(n, sdk.Secondary, &sdk.Error{Kind: sdk.KindUnsupported, Op: "enter", Path: n.path, Msg: "another filesystem is mounted there on the secondary"})
	case selfP.ID != n.id || selfP.Mount:
		// Another directory stands here since the parent was listed, or a
		// filesystem was mounted, whose entries the driver does not give; the
		// next pass tells.
		p.skip(i)
		s.skip(i)
		w.lost(n, sdk.Primary, nil)
	default:
		return selfP, selfS
	}
	return nil, nil
}

// compareSelf compares the attributes of n itself, and says how far equal looks count
// in it.
func (w *walker) compareSelf(n *node, selfP, selfS *sdk.Entry) crawl.Visit {
	if selfS != nil {
		n.on, n.native = selfS.ID, selfS.Native
		if m, err := crawl.DecodeMark(selfS.Mark); w.every && !w.full && err == nil && m.Holds(n.xtime, n.id) {
			n.was = m
		}
	}
	v := w.visitOf(n, selfP, selfS)
	n.self, n.mask = *selfP, sdk.MetaAll
	if selfS == nil {
		return v
	}
	mask := w.policy.MetaDiff(selfP, selfS, v.Xattrs)
	n.differs = mask != 0
	_, failed := v.Again[self]
	if !failed && !v.Begun && v.Trust == crawl.TrustSince && crawl.Changed(selfP).Compare(v.Since) < 0 {
		n.mask = mask
	}
	w.begin(n, selfS)
	return v
}

// listed takes note of an entry of the primary's n.
func (w *walker) listed(n *node, e *sdk.Entry) {
	w.witness.Entry(e)
	w.peopled = w.peopled || n.parent == nil && !sdk.Reserved(e.Name)
	if w.namesMissing(e) {
		w.mu.Lock()
		n.failName(e.Name)
		w.mu.Unlock()
	}
}

// end closes a directory whose entries were compared.
func (w *walker) end(i int, n *node, p, s *rows) {
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
