package mirror

import (
	"context"
	"fmt"

	"github.com/gsyncd/gsyncd-host/host/report"
	"github.com/gsyncd/gsyncd-host/sdk"
)

// removeStrangers removes what only the secondary has: all of the turn's
// removals or, where a guard says no, none.
func (t *turn) removeStrangers(ctx context.Context) error {
	nodes := t.removals
	if len(nodes) == 0 {
		return nil
	}
	if err := t.verify(ctx); err != nil {
		return err
	}
	if t.hold() {
		t.keepAll(nodes, nil)
		return nil
	}
	if err := t.stillGone(ctx, nodes); err != nil {
		return err
	}
	counts, refusal, err := t.judgeRemovals(ctx, nodes)
	if err != nil {
		return err
	}
	if refusal != nil {
		t.keepAll(nodes, refusal)
		return nil
	}
	sure, err := t.relist(ctx, nodes)
	if err != nil {
		return err
	}
	if !sure {
		t.keepAll(nodes, nil)
		return nil
	}
	return t.remove(ctx, nodes, counts)
}

// maxHeld is how many turns in a row may put removals off because the primary
// did not hold still: one that never does must not let the secondary grow for
// ever.
const maxHeld = 3

// hold reports whether this turn is to remove nothing, since what is missing in
// one place may be what was gone again in another: a file renamed under the
// crawl's feet is seen under neither name.
func (t *turn) hold() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.vanished || t.held == maxHeld {
		t.held = 0
		return false
	}
	t.held++
	return true
}

// keepAll takes the removals back; refusal, if not nil, is why, and makes each a
// problem.
func (t *turn) keepAll(nodes []*node, refusal *sdk.Error) {
	for _, n := range nodes {
		for _, r := range n.removes {
			if refusal != nil {
				t.ledger.raise(n.path.Join(r.name), sdk.Secondary, refusal)
			}
		}
		t.mu.Lock()
		n.failed = true
		t.release(n)
		t.mu.Unlock()
	}
}

// stillGone asks the primary once more for every name before it is removed, and
// keeps what is there.
func (t *turn) stillGone(ctx context.Context, nodes []*node) error {
	var paths []sdk.Path
	for _, n := range nodes {
		for _, r := range n.removes {
			paths = append(paths, n.path.Join(r.name))
		}
	}
	found, err := t.Source.Stat(ctx, paths, 0)
	if err != nil {
		return fmt.Errorf("look at the primary: %w", err)
	}
	for _, n := range nodes {
		gone := n.removes[:0]
		for _, r := range n.removes {
			e := found[0]
			found = found[1:]
			if e.Err != nil && e.Err.Kind == sdk.KindNotExist {
				gone = append(gone, r)
				continue
			}
			t.mu.Lock()
			n.failName(r.name)
			t.mu.Unlock()
		}
		n.removes = gone
	}
	return nil
}

// maxRemoved is about how many entries one list removes: an answer must come
// in time.
const maxRemoved = 64 << 10

// remove carries out the directories' removals, in as few lists as may be, and
// takes their tokens. counts are those of the removals, one after the other.
func (t *turn) remove(ctx context.Context, nodes []*node, counts []int64) error {
	var ops []sdk.Op
	var of []*node
	for _, n := range nodes {
		for _, r := range n.removes {
			op := sdk.Op{Kind: sdk.OpRemove, Path: n.path.Join(r.name)}
			if r.tree {
				op.Kind = sdk.OpRemoveTree
			}
			ops, of = append(ops, op), append(of, n)
		}
	}
	for len(ops) > 0 {
		n, sum := 0, int64(0)
		for n < min(len(ops), flushOps) && (n == 0 || sum+counts[n] <= maxRemoved) {
			sum += counts[n]
			n++
		}
		if err := t.removeAll(ctx, ops[:n], of[:n], counts[:n]); err != nil {
			return err
		}
		ops, of, counts = ops[n:], of[n:], counts[n:]
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, n := range nodes {
		n.touched = true
		t.release(n)
	}
	return nil
}

// removeAll does the removals ops, each in the directory of.
func (t *turn) removeAll(ctx context.Context, ops []sdk.Op, of []*node, counts []int64) error {
	results, err := t.apply(ctx, ops)
	if err != nil {
		return err
	}
	var done int64
	for i, res := range results {
		if res.Err != nil {
			t.ledger.raise(ops[i].Path, sdk.Secondary, res.Err)
			t.mu.Lock()
			of[i].failed = true
			t.mu.Unlock()
			continue
		}
		done += counts[i]
		t.ledger.drop(ops[i].Path)
	}
	t.addCounts(report.Counts{Deletes: done})
	return nil
}

// judgeRemovals counts what would go, for one removal after the other, and says
// why it must not.
func (t *turn) judgeRemovals(ctx context.Context, nodes []*node) (counts []int64, refusal *sdk.Error, err error) {
	refuse := func(msg string) *sdk.Error {
		return &sdk.Error{Kind: sdk.KindPermission, Op: "not removed", Msg: msg}
	}
	if !t.Session.Adopted {
		return nil, refuse(`the secondary held it before this mirror began; run once with --adopt to let the mirror remove such entries, or declare deletes = "keep"`), nil
	}
	if (t.pass.Entries == 0 || !t.peopled) && !t.Adopt {
		return nil, refuse("the primary has become empty; if that is meant, run once with --adopt"), nil
	}
	if t.blind || t.pass.Unlisted > 0 {
		return nil, refuse("part of the primary could not be read in this turn, and it may have been moved there"), nil
	}
	var trees []sdk.Path
	for _, n := range nodes {
		for _, r := range n.removes {
			if r.tree {
				trees = append(trees, n.path.Join(r.name))
			}
		}
	}
	below, held, err := t.countTrees(ctx, trees)
	if err != nil {
		return nil, nil, err
	}
	total := t.removed
	for _, n := range nodes {
		for _, r := range n.removes {
			c := int64(1)
			if r.tree {
				c += below[0]
				below = below[1:]
			}
			counts = append(counts, c)
			total += c
		}
	}
	if t.MaxDeletes > 0 && total > t.MaxDeletes {
		return nil, refuse(fmt.Sprintf("this turn would remove %d entries and limits.max_deletes is %d; raise it if that is meant", total, t.MaxDeletes)), nil
	}
	return counts, nil, t.unclaim(ctx, held)
}

// mayReplace judges the removal of s, which stands where an entry of another
// type is to be: nil is yes.
func (t *turn) mayReplace(ctx context.Context, path sdk.Path, s *sdk.Entry) (*sdk.Error, error) {
	if t.policy.Features&sdk.KeepsEntries != 0 {
		return &sdk.Error{Kind: sdk.KindPermission, Op: "replace", Path: path,
			Msg: "a " + s.Type.String() + " stands in the way, and the secondary lets nothing be removed; remove it there"}, nil
	}
	count := int64(1)
	var held []sdk.Path
	if s.Type == sdk.TypeDir {
		counts, in, err := t.countTrees(ctx, []sdk.Path{path})
		if err != nil {
			return nil, err
		}
		held = in
		below := counts[0]
		if below > 0 && (t.Keep || !t.Session.Adopted) {
			return &sdk.Error{Kind: sdk.KindChanged, Op: "replace", Path: path,
				Msg: "a directory that may hold more than the mirror brought stands in the way; move it aside"}, nil
		}
		count += below
	}
	t.mu.Lock()
	total := t.removed + count
	over := t.MaxDeletes > 0 && total > t.MaxDeletes
	if !over {
		t.removed = total
	}
	t.mu.Unlock()
	if over {
		return &sdk.Error{Kind: sdk.KindPermission, Op: "replace", Path: path,
			Msg: fmt.Sprintf("%d entries would be removed in this turn and limits.max_deletes is %d; raise it if that is meant", total, t.MaxDeletes)}, nil
	}
	return nil, t.unclaim(ctx, held)
}
