package mirror

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/gsyncd/gsyncd-host/host/crawl"
	"github.com/gsyncd/gsyncd-host/host/marker"
	"github.com/gsyncd/gsyncd-host/host/report"
	"github.com/gsyncd/gsyncd-host/sdk"
)

// moveDirs carries out on the secondary the moves of directories that the pass
// saw, so that their content need not come again. A move is only a saving: the
// walk puts right whatever is left undone here, since a mark names its
// directory. Only what carries that very mark is moved.
func (t *turn) moveDirs(ctx context.Context) error {
	if t.Keep || !t.Session.Adopted {
		return nil // a stranger in a directory would move along, or be lost with it
	}
	moves, err := t.checkMoves(ctx)
	if err != nil || len(moves) == 0 {
		return err
	}
	parked, err := t.park(ctx, moves)
	if err != nil {
		return err
	}
	return t.unpark(ctx, parked)
}

// parked is a directory out of its old place, under a name of ours.
type parked struct {
	marker.Move
	at sdk.Path
}

// checkMoves drops the moves that the secondary does not bear out.
func (t *turn) checkMoves(ctx context.Context) ([]marker.Move, error) {
	moves := t.pass.Moves
	if len(moves) == 0 {
		return nil, nil
	}
	paths := make([]sdk.Path, len(moves))
	for i := range moves {
		paths[i] = moves[i].From
	}
	found, err := t.Target.Stat(ctx, paths, sdk.FieldMark)
	if err != nil {
		return nil, fmt.Errorf("look for moved directories: %w", err)
	}
	var good []marker.Move
	for i := range moves {
		m, err := crawl.DecodeMark(found[i].Mark)
		if found[i].Type == sdk.TypeDir && err == nil && m.Dir == moves[i].ID {
			good = append(good, moves[i])
		} else {
			t.Marker.Moved(moves[i].ID)
		}
	}
	return good, nil
}

// park takes all moved directories out of their places first, deepest first:
// then swaps and chains need no thought.
func (t *turn) park(ctx context.Context, moves []marker.Move) ([]parked, error) {
	slices.SortStableFunc(moves, func(a, b marker.Move) int { return cmp.Compare(depth(b.From), depth(a.From)) })
	ops := make([]sdk.Op, len(moves))
	for i := range moves {
		ops[i] = sdk.Op{Kind: sdk.OpRename, From: moves[i].From, Path: t.stagedName("x")}
	}
	results, err := t.apply(ctx, ops)
	if err != nil {
		return nil, err
	}
	var out []parked
	for i, res := range results {
		if res.Err == nil {
			out = append(out, parked{Move: moves[i], at: ops[i].Path})
		} else {
			t.Marker.Moved(moves[i].ID)
		}
	}
	return out, nil
}

// unpark puts the directories into their new places, outermost first. One whose
// place is taken goes back to its old one if it can, to be removed under the
// guards; what stays parked the walk removes and brings anew.
func (t *turn) unpark(ctx context.Context, dirs []parked) error {
	slices.SortStableFunc(dirs, func(a, b parked) int { return cmp.Compare(depth(a.To), depth(b.To)) })
	var moved int64
	for _, d := range dirs {
		if err := t.makeParents(ctx, d.To); err != nil {
			return err
		}
		taken, err := t.Target.Stat(ctx, []sdk.Path{d.To}, 0)
		if err != nil {
			return fmt.Errorf("look for moved directories: %w", err)
		}
		t.Marker.Moved(d.ID)
		to := d.To
		if taken[0].Type != sdk.TypeUnknown {
			t.Logger.Debug("a moved directory's new place is taken", "path", string(d.To))
			to = d.From
		}
		results, err := t.apply(ctx, []sdk.Op{{Kind: sdk.OpRename, From: d.at, Path: to}})
		if err != nil {
			return err
		}
		if results[0].Err == nil && to == d.To {
			moved++
		}
	}
	t.addCounts(report.Counts{Renames: moved})
	return nil
}

// makeParents makes the directories above path that are missing; the walk gives
// them their attributes.
func (t *turn) makeParents(ctx context.Context, path sdk.Path) error {
	var ops []sdk.Op
	for dir := path.Dir(); dir != sdk.Root; dir = dir.Dir() {
		ops = append(ops, sdk.Op{Kind: sdk.OpMkdir, Path: dir})
	}
	slices.Reverse(ops)
	_, err := t.apply(ctx, ops)
	return err
}
