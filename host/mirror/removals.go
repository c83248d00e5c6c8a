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
	for i, n := range nodes {
		if err := t.remove(ctx, n, counts[i]); err != nil {
			return err
		}
	}
	return nil
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
	for _, n := range nodes {
		paths := make([]sdk.Path, len(n.removes))
		for i, r := range n.removes {
			paths[i] = n.path.Join(r.name)
		}
		found, err := t.Source.Stat(ctx, paths, 0)
		if err != nil {
			return fmt.Errorf("look at the primary: %w", err)
		}
		gone := n.removes[:0]
		for i, r := range n.removes {
			if found[i].Err != nil && found[i].Err.Kind == sdk.KindNotExist {
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

// remove carries out one directory's removals and takes its token.
func (t *turn) remove(ctx context.Context, n *node, counts []int64) error {
	ops := make([]sdk.Op, len(n.removes))
	for i, r := range n.removes {
		ops[i] = sdk.Op{Kind: sdk.OpRemove, Path: n.path.Join(r.name)}
		if r.tree {
			ops[i].Kind = sdk.OpRemoveTree
		}
	}
	results, err := t.apply(ctx, ops)
	if err != nil {
		return err
	}
	var done int64
	failed := false
	for i, res := range results {
		if res.Err != nil {
			t.ledger.raise(ops[i].Path, sdk.Secondary, res.Err)
			failed = true
			continue
		}
		done += counts[i]
		t.ledger.drop(ops[i].Path)
	}
	t.addCounts(report.Counts{Deletes: done})
	t.mu.Lock()
	defer t.mu.Unlock()
	n.touched = true
	n.failed = n.failed || failed
	t.release(n)
	return nil
}

// judgeRemovals counts what would go and says why it must not.
func (t *turn) judgeRemovals(ctx context.Context, nodes []*node) ([][]int64, *sdk.Error, error) {
	refuse := func(msg string) *sdk.Error {
		return &sdk.Error{Kind: sdk.KindPermission, Op: "not removed", Msg: msg}
	}
	if !t.Session.Adopted {
		return nil, refuse(`the secondary held it before this mirror began; run once with --adopt to let the mirror remove such entries, or declare deletes = "keep"`), nil
	}
	if t.pass.Entries == 0 && !t.Adopt {
		return nil, refuse("the primary has become empty; if that is meant, run once with --adopt"), nil
	}
	if t.blind || t.pass.Unlisted > 0 {
		return nil, refuse("part of the primary could not be read in this turn, and it may have been moved there"), nil
	}
	counts := make([][]int64, len(nodes))
	total := t.removed
	for i, n := range nodes {
		for _, r := range n.removes {
			c := int64(1)
			if r.tree {
				below, err := t.countTree(ctx, n.path.Join(r.name))
				if err != nil {
					return nil, nil, err
				}
				c += below
			}
			counts[i] = append(counts[i], c)
			total += c
		}
	}
	if t.MaxDeletes > 0 && total > t.MaxDeletes {
		return nil, refuse(fmt.Sprintf("this turn would remove %d entries and limits.max_deletes is %d; raise it if that is meant", total, t.MaxDeletes)), nil
	}
	return counts, nil, nil
}

// mayReplace judges the removal of s, which stands where an entry of another
// type is to be: nil is yes.
func (t *turn) mayReplace(ctx context.Context, path sdk.Path, s *sdk.Entry) (*sdk.Error, error) {
	if t.policy.Features&sdk.KeepsEntries != 0 {
		return &sdk.Error{Kind: sdk.KindPermission, Op: "replace", Path: path,
			Msg: "a " + s.Type.String() + " stands in the way, and the secondary lets nothing be removed; remove it there"}, nil
	}
	count := int64(1)
	if s.Type == sdk.TypeDir {
		below, err := t.countTree(ctx, path)
		if err != nil {
			return nil, err
		}
		if below > 0 && (t.Keep || !t.Session.Adopted) {
			return &sdk.Error{Kind: sdk.KindChanged, Op: "replace", Path: path,
				Msg: "a directory that may hold more than the mirror brought stands in the way; move it aside"}, nil
		}
		count += below
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.MaxDeletes > 0 && t.removed+count > t.MaxDeletes {
		return &sdk.Error{Kind: sdk.KindPermission, Op: "replace", Path: path,
			Msg: fmt.Sprintf("%d entries would be removed in this turn and limits.max_deletes is %d; raise it if that is meant", t.removed+count, t.MaxDeletes)}, nil
	}
	t.removed += count
	return nil, nil
}

// countTree counts the entries below a directory of the secondary. What cannot
// be listed is left out; removing it will say why.
func (t *turn) countTree(ctx context.Context, dir sdk.Path) (int64, error) {
	c := counter{stack: []sdk.Path{dir}}
	for len(c.stack) > 0 {
		at := max(0, len(c.stack)-chunkDirs)
		c.dirs = append([]sdk.Path(nil), c.stack[at:]...)
		c.stack = c.stack[:at]
		if err := t.Target.Scan(ctx, sdk.ScanRequest{Dirs: c.dirs}, &c); err != nil {
			return 0, fmt.Errorf("count what is to be removed: %w", err)
		}
	}
	return c.count, nil
}

// counter is a scan's sink that counts and descends.
type counter struct {
	stack, dirs []sdk.Path
	cur         int
	count       int64
}

var _ sdk.ScanSink = (*counter)(nil)

func (c *counter) BeginDir(i int, _ *sdk.Entry) error { c.cur = i; return nil }

func (c *counter) EndDir(int, *sdk.Error) error { return nil }

func (c *counter) Entry(e *sdk.Entry) error {
	c.count++
	if e.Type == sdk.TypeDir && !e.Mount {
		c.stack = append(c.stack, c.dirs[c.cur].Join(e.Name))
	}
	return nil
}
