package mirror

import (
	"context"
	"fmt"

	"github.com/gsyncd/gsyncd-host/host/report"
	"github.com/gsyncd/gsyncd-host/sdk"
)

// link is a further name of a file with several. node is nil where its
// directory was not entered: the file's first name got a new version, so its
// other names must follow wherever they are.
type link struct {
	node   *node
	name   string
	path   sdk.Path
	leader sdk.Path
	entry  sdk.Entry // the primary's
}

// relink notes that a file with several names was replaced under its first. The
// lock is held.
func (t *turn) relink(f *stagedFile) {
	if f.entry.Nlink < 2 || t.policy.Features&sdk.CanHardlinks == 0 {
		return
	}
	names := t.Marker.Links(f.entry.ID)
	if len(names) < 2 || names[0] != f.path {
		return
	}
	for _, p := range names[1:] {
		t.relinks = append(t.relinks, link{path: p, leader: f.path, entry: f.entry})
	}
}

// makeLinks joins the further names of files to the first ones, which are in
// place by now.
func (t *turn) makeLinks(ctx context.Context) error {
	t.mu.Lock()
	all := t.links
	known := make(map[sdk.Path]bool, len(all))
	for i := range all {
		known[all[i].path] = true
	}
	for _, l := range t.relinks {
		if !known[l.path] {
			all = append(all, l)
		}
	}
	t.links, t.relinks = nil, nil
	t.mu.Unlock()
	for len(all) > 0 {
		n := min(len(all), sdk.MaxBatch/2)
		if err := t.linkBatch(ctx, all[:n]); err != nil {
			return err
		}
		all = all[n:]
	}
	return nil
}

func (t *turn) linkBatch(ctx context.Context, links []link) error {
	paths := make([]sdk.Path, 0, 2*len(links))
	for i := range links {
		paths = append(paths, links[i].leader, links[i].path)
	}
	found, err := t.Target.Stat(ctx, paths, 0)
	if err != nil {
		return fmt.Errorf("look at linked files: %w", err)
	}
	var ops []sdk.Op
	var of []*link
	for i := range links {
		l := &links[i]
		leader, name := &found[2*i], &found[2*i+1]
		switch {
		case !t.isVersion(leader, &l.entry):
			if err := t.unlinked(ctx, l); err != nil {
				return err
			}
		case name.Type == sdk.TypeRegular && name.ID == leader.ID:
			t.linkDone(l)
		default:
			ops = append(ops, sdk.Op{Kind: sdk.OpLink, From: l.leader, Path: l.path})
			of = append(of, l)
		}
	}
	results, err := t.apply(ctx, ops)
	if err != nil {
		return err
	}
	var counts report.Counts
	var foreign []sdk.Path
	for i, res := range results {
		l := of[i]
		if res.Err == nil {
			counts.Others++
			if l.node == nil {
				foreign = append(foreign, l.path.Dir())
			}
			t.linkDone(l)
			continue
		}
		t.ledger.raise(l.path, sdk.Secondary, res.Err)
		if err := t.unlinked(ctx, l); err != nil {
			return err
		}
	}
	t.addCounts(counts)
	return t.restoreTimes(ctx, foreign)
}

// isVersion reports whether the secondary's file is the version that the
// primary's entry describes, as far as looks go.
func (t *turn) isVersion(s, p *sdk.Entry) bool {
	return s.Type == sdk.TypeRegular && s.Size == p.Size && t.policy.MetaDiff(p, s, false)&sdk.MetaMtime == 0
}

func (t *turn) linkDone(l *link) {
	if l.node != nil {
		t.mu.Lock()
		t.release(l.node)
		t.mu.Unlock()
	}
}

// unlinked deals with a name that could not be joined to its first. The first
// one either failed in this turn, and then comes again by itself; or it was
// changed on the secondary behind our back in a directory that was not entered:
// taking the marks away brings the next turn there. The same goes for a name in
// a directory that was not entered.
func (t *turn) unlinked(ctx context.Context, l *link) error {
	dirs := []sdk.Path{l.leader.Dir()}
	if l.node == nil {
		dirs = append(dirs, l.path.Dir())
	}
	t.mu.Lock()
	t.again = true
	if l.node != nil {
		l.node.failName(l.name)
		t.release(l.node)
	}
	t.mu.Unlock()
	var ops []sdk.Op
	for _, d := range dirs {
		for ; ; d = d.Dir() {
			ops = append(ops, sdk.Op{Kind: sdk.OpSetMark, Path: d})
			if d == sdk.Root {
				break
			}
		}
	}
	_, err := t.apply(ctx, ops)
	return err
}

// restoreTimes puts back the times of directories that were changed without
// being entered.
func (t *turn) restoreTimes(ctx context.Context, dirs []sdk.Path) error {
	if len(dirs) == 0 {
		return nil
	}
	entries, err := t.Source.Stat(ctx, dirs, 0)
	if err != nil {
		return fmt.Errorf("read attributes: %w", err)
	}
	var ops []sdk.Op
	for i := range entries {
		if entries[i].Type == sdk.TypeDir {
			ops = append(ops, sdk.Op{Kind: sdk.OpSetMeta, Path: dirs[i], Meta: sdk.MetaOf(&entries[i], sdk.MetaMtime)})
		}
	}
	_, err = t.apply(ctx, ops)
	return err
}
