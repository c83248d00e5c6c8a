package mirror

import (
	"context"
	"fmt"

	"github.com/gsyncd/gsyncd-host/host/crawl"
	"github.com/gsyncd/gsyncd-host/host/mover"
	"github.com/gsyncd/gsyncd-host/sdk"
)

// take files one action away.
func (w *walker) take(ctx context.Context, n *node, a crawl.Action) error {
	name := a.Name()
	path := n.path.Join(name)
	if a.Kind != crawl.Enter {
		w.mu.Lock()
		n.acted = true
		w.mu.Unlock()
	}
	if len(path) > maxPath && a.P != nil {
		w.mu.Lock()
		n.open++
		w.mu.Unlock()
		w.fail(n, name, sdk.Primary, &sdk.Error{Kind: sdk.KindInput, Op: "mirror", Path: path[:maxShown] + "…", Msg: fmt.Sprintf("the path is longer than %d bytes", maxPath)})
		return nil
	}
	if a.P != nil && !w.pass.NamesKnown && w.namesMissing(a.P) {
		return nil // brought without its other names, it would be parted from them
	}
	if w.leave(n, &a) {
		return nil
	}
	if a.Kind != crawl.Enter && a.Kind != crawl.Leftover && w.ledger.blocked(path) {
		w.mu.Lock()
		n.failName(name)
		w.mu.Unlock()
		return nil
	}
	if a.InTheWay && (a.Kind == crawl.Make || a.Kind == crawl.MakeDir || a.Kind == crawl.Send || a.Kind == crawl.Link) {
		if ok, err := w.clear(ctx, n, name, a); err != nil || !ok {
			return err
		}
	}
	switch a.Kind {
	case crawl.Make:
		w.make(n, name, a)
	case crawl.MakeDir:
		w.makeDir(n, name, a)
	case crawl.Enter:
		w.enter(n, name, a)
	case crawl.Send:
		w.send(n, name, a)
	case crawl.Link:
		w.touch(n)
		w.mu.Lock()
		w.links = append(w.links, link{node: n, name: name, path: path, leader: a.Leader, entry: *a.P})
		w.mu.Unlock()
	case crawl.Meta:
		w.want(n, a.P, sdk.Op{Kind: sdk.OpSetMeta, Path: path, Meta: sdk.MetaOf(a.P, a.Mask)})
	case crawl.Delete:
		w.mu.Lock()
		n.removes = append(n.removes, removal{name: name, tree: a.S.Type == sdk.TypeDir})
		w.mu.Unlock()
	case crawl.Leftover:
		kind := sdk.OpRemove
		if a.S.Type == sdk.TypeDir {
			kind = sdk.OpRemoveTree
		}
		w.touch(n)
		w.ops = append(w.ops, entryOp{node: n, name: name, op: sdk.Op{Kind: kind, Path: path}, own: true})
	case crawl.Skip:
		w.notice("the secondary cannot keep entries of type " + a.P.Type.String() + ": they are left out")
	case crawl.Fail:
		err, side := a.P.Err, sdk.Primary
		w.mu.Lock()
		if err == nil {
			err, side = a.S.Err, sdk.Secondary
		} else {
			w.missed(err.Kind == sdk.KindNotExist)
		}
		n.open++
		w.mu.Unlock()
		w.fail(n, name, side, err)
	}
	return nil
}

// touch takes a token for an entry of n that will be made or replaced.
func (w *walker) touch(n *node) {
	w.mu.Lock()
	n.touched = true
	n.open++
	w.mu.Unlock()
}

// want files an operation whose Meta still lacks extended attributes.
func (w *walker) want(n *node, p *sdk.Entry, op sdk.Op) {
	w.mu.Lock()
	n.open++
	w.mu.Unlock()
	if op.Meta.Mask&sdk.MetaXattrs != 0 {
		w.wants = append(w.wants, len(w.ops))
	}
	w.ops = append(w.ops, entryOp{node: n, name: p.Name, op: op, of: p})
}

func (w *walker) make(n *node, name string, a crawl.Action) {
	w.mu.Lock()
	n.touched = true
	w.mu.Unlock()
	op := sdk.Op{Kind: sdk.OpMknod, Path: n.path.Join(name), Meta: sdk.MetaOf(a.P, sdk.MetaAll)}
	if a.P.Type == sdk.TypeSymlink {
		op.Kind, op.Target = sdk.OpSymlink, a.P.Target
	} else {
		op.Type, op.Major, op.Minor = a.P.Type, a.P.Major, a.P.Minor
	}
	w.want(n, a.P, op)
}

func (w *walker) makeDir(n *node, name string, a crawl.Action) {
	path := n.path.Join(name)
	x, known := w.Marker.XTime(a.P.ID)
	if !known && !a.P.Mount {
		w.unknown(n, name)
		return
	}
	w.touch(n)
	op := entryOp{node: n, name: name, op: sdk.Op{Kind: sdk.OpMkdir, Path: path}}
	if a.P.Mount {
		w.ops = append(w.ops, op)
		w.want(n, a.P, sdk.Op{Kind: sdk.OpSetMeta, Path: path, Meta: sdk.MetaOf(a.P, sdk.MetaAll)})
		return
	}
	child := w.child(n, path, a.P.ID, x)
	child.fresh = true
	op.child = child
	begun := crawl.Mark{Dir: a.P.ID, Since: w.since}
	w.ops = append(w.ops, op, entryOp{op: sdk.Op{Kind: sdk.OpSetMark, Path: path, Mark: begun.Encode()}, child: child, own: true})
	w.dirs = append(w.dirs, child)
}

func (w *walker) enter(n *node, name string, a crawl.Action) {
	path := n.path.Join(name)
	x, known := w.Marker.XTime(a.P.ID)
	m, err := crawl.DecodeMark(a.S.Mark)
	held := err == nil && m.Holds(x, a.P.ID) || w.carries(a.P.ID, a.S)
	if a.P.Mount || held && !w.every {
		if a.P.Mount {
			w.notice("another filesystem is mounted below the primary: it is not entered")
		}
		if mask := w.policy.MetaDiff(a.P, a.S, false); mask != 0 {
			if !a.P.Mount {
				w.doubtHeld(a.P)
			}
			w.want(n, a.P, sdk.Op{Kind: sdk.OpSetMeta, Path: path, Meta: sdk.MetaOf(a.P, mask)})
		}
		return
	}
	if !known {
		w.unknown(n, name)
		return
	}
	child := w.child(n, path, a.P.ID, x)
	w.mu.Lock()
	w.entered[path] = child
	w.mu.Unlock()
	if err == nil && m.Dir != a.P.ID {
		w.ops = append(w.ops, entryOp{op: w.disown(child, a.S), child: child, own: true})
	}
	w.dirs = append(w.dirs, child)
}

// disown makes the operation that replaces another directory's mark on s, into which
// n is to be brought, by one that vouches for nothing. If that broke off half-way
// the other's mark would lie: once the other stands here again, or s is moved to
// where it went, what was changed below would be taken for its own.
func (t *turn) disown(n *node, s *sdk.Entry) sdk.Op {
	t.mu.Lock()
	delete(t.partial, n.id) // from when n was here before
	t.mu.Unlock()
	begun := crawl.Mark{Dir: n.id}
	return sdk.Op{Kind: sdk.OpSetMark, Path: n.path, Mark: begun.Encode(), Native: s.Native}
}

// unknown deals with a directory that no pass has found yet. One that came
// after its parent was listed changes the parent's xtime at the next pass, so
// the parent may be marked without it; one that the pass could not list may not
// be passed over.
func (w *walker) unknown(n *node, name string) {
	path := n.path.Join(name)
	for _, p := range w.pass.Problems {
		if p.Path == path {
			w.mu.Lock()
			n.open++
			w.mu.Unlock()
			w.fail(n, name, sdk.Primary, p.Err)
			return
		}
	}
	if w.pass.Unlisted > int64(len(w.pass.Problems)) {
		w.mu.Lock()
		n.failName(name)
		w.mu.Unlock()
	}
}

func (w *walker) child(n *node, path sdk.Path, id sdk.FileID, x sdk.XTime) *node {
	w.mu.Lock()
	n.open++
	if w.looked[path] != lookNone {
		w.looked[path] = lookBegun
	}
	w.mu.Unlock()
	return &node{parent: n, path: path, id: id, xtime: x, open: 1}
}

func (w *walker) send(n *node, name string, a crawl.Action) {
	w.mu.Lock()
	noSpace := w.noSpace
	if noSpace {
		n.failName(name)
	}
	w.mu.Unlock()
	if noSpace {
		return
	}
	path := n.path.Join(name)
	job := mover.Job{Path: path, Entry: *a.P, Staged: w.stagedName(path), Compare: a.Compare, Tag: n}
	if a.S != nil && a.S.Type == sdk.TypeRegular {
		job.Old = a.S
	}
	w.mu.Lock()
	n.open++
	if !a.Compare {
		n.touched = true
	}
	w.mu.Unlock()
	w.sends = append(w.sends, job)
}

// clear files the removal of what stands in the way of P, and reports whether P
// may then be made.
func (w *walker) clear(ctx context.Context, n *node, name string, a crawl.Action) (bool, error) {
	path := n.path.Join(name)
	op := sdk.Op{Kind: sdk.OpRemove, Path: path}
	if a.S.Type == sdk.TypeDir {
		op.Kind = sdk.OpRemoveTree
	}
	refusal, err := w.mayReplace(ctx, path, a.S)
	if err != nil {
		return false, err
	}
	w.touch(n)
	if refusal != nil {
		w.fail(n, name, sdk.Secondary, refusal)
		return false, nil
	}
	w.ops = append(w.ops, entryOp{node: n, name: name, op: op})
	w.opsFirst = true
	return true, nil
}
