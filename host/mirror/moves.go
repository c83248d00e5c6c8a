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
	if !t.movesDirs() {
		return nil
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

// movesDirs reports whether directories are moved on the secondary: a stranger in
// one would move along, or be lost with it.
func (m *Mirror) movesDirs() bool { return !m.Keep && m.Session.Adopted }

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

// unpark puts the directories into their new places, outermost first, all of one
// depth together. One whose place is taken goes back to its old one if it can, to
// be removed under the guards; what stays parked the walk removes and brings anew.
func (t *turn) unpark(ctx context.Context, dirs []parked) error {
	slices.SortStableFunc(dirs, func(a, b parked) int { return cmp.Compare(depth(a.To), depth(b.To)) })
	var back []sdk.Op
	for len(dirs) > 0 {
		n := 1
		for n < len(dirs) && depth(dirs[n].To) == depth(dirs[0].To) {
			n++
		}
		taken, err := t.unparkAll(ctx, dirs[:n])
		if err != nil {
			return err
		}
		back = append(back, taken...)
		dirs = dirs[n:]
	}
	_, err := t.apply(ctx, back)
	return err
}

// unparkAll puts directories of one depth into place, and returns what takes those
// back whose place is taken.
func (t *turn) unparkAll(ctx context.Context, dirs []parked) (back []sdk.Op, err error) {
	places := make([]sdk.Path, len(dirs))
	for i := range dirs {
		places[i] = dirs[i].To
	}
	if err := t.makeParents(ctx, places); err != nil {
		return nil, err
	}
	found, err := t.Target.Stat(ctx, places, 0)
	if err != nil {
		return nil, fmt.Errorf("look for moved directories: %w", err)
	}
	var ops []sdk.Op
	for i, d := range dirs {
		t.Marker.Moved(d.ID)
		if found[i].Type != sdk.TypeUnknown {
			t.Logger.Debug("a moved directory's new place is taken", "path", string(d.To))
			back = append(back, sdk.Op{Kind: sdk.OpRename, From: d.at, Path: d.From})
			continue
		}
		ops = append(ops, sdk.Op{Kind: sdk.OpRename, From: d.at, Path: d.To})
	}
	results, err := t.apply(ctx, ops)
	if err != nil {
		return nil, err
	}
	var moved int64
	for _, res := range results {
		if res.Err == nil {
			moved++
		}
	}
	t.addCounts(report.Counts{Renames: moved})
	return back, nil
}

// makeParents makes the directories above paths that are missing; the walk gives
// them their attributes.
func (t *turn) makeParents(ctx context.Context, paths []sdk.Path) error {
	var ops []sdk.Op
	made := map[sdk.Path]bool{}
	for _, path := range paths {
		at := len(ops)
		for dir := path.Dir(); dir != sdk.Root && !made[dir]; dir = dir.Dir() {
			made[dir] = true
			ops = append(ops, sdk.Op{Kind: sdk.OpMkdir, Path: dir})
		}
		slices.Reverse(ops[at:])
	}
	_, err := t.apply(ctx, ops)
	return err
}
