package mirror

import (
	"context"
	"fmt"
	"slices"

	"github.com/gsyncd/gsyncd-host/host/crawl"
	"github.com/gsyncd/gsyncd-host/host/report"
	"github.com/gsyncd/gsyncd-host/sdk"
)

// splitShared looks at files with several names that may need their attributes
// alone. Where the secondary's file has names that are another file's on the
// primary, which it was one with once, a new file is needed even for equal bytes.
func (w *walker) splitShared(ctx context.Context) error {
	for i := range w.sends {
		job := &w.sends[i]
		if !job.Compare || job.Old == nil || job.Old.Nlink < 2 {
			continue
		}
		same := 0
		for chunk := range slices.Chunk(w.Marker.Links(job.Entry.ID), sdk.MaxBatch) {
			found, err := w.Target.Stat(ctx, chunk, 0)
			if err != nil {
				return fmt.Errorf("look at linked files: %w", err)
			}
			for k := range found {
				if found[k].Type == sdk.TypeRegular && found[k].ID == job.Old.ID {
					same++
				}
			}
		}
		if same < int(job.Old.Nlink) {
			job.Compare = false
			w.mu.Lock()
			job.Tag.(*node).touched = true
			w.mu.Unlock()
		}
	}
	return nil
}

// link is a further name of a file with several. node is nil where the file's
// first name got a new version and its other names must follow, whether their
// directories are entered or not.
type link struct {
	node   *node
	name   string
	path   sdk.Path
	leader sdk.Path
	entry  sdk.Entry // the primary's
}

// others gives the further names of a file that is brought under its first.
func (t *turn) others(f *stagedFile) []sdk.Path {
	if f.entry.Nlink < 2 || t.policy.Features&sdk.CanHardlinks == 0 {
		return nil
	}
	names := t.Marker.Links(f.entry.ID)
	if len(names) < 2 || names[0] != f.path {
		return nil
	}
	return names[1:]
}

// relink joins the further names of a file that was just put into place under
// its first, wherever they are. It is done at once, and not with the other
// links, so that no mark is written in between.
func (t *turn) relink(ctx context.Context, placed []*stagedFile) error {
	var all []link
	for _, f := range placed {
		for _, p := range t.others(f) {
			all = append(all, link{path: p, leader: f.path, entry: f.entry})
		}
	}
	return t.linkAll(ctx, all)
}

// makeLinks joins the further names of files to the first ones, which are in
// place by now.
func (t *turn) makeLinks(ctx context.Context) error {
	t.mu.Lock()
	all := t.links
	t.links = nil
	t.mu.Unlock()
	return t.linkAll(ctx, all)
}

func (t *turn) linkAll(ctx context.Context, all []link) error {
	for chunk := range slices.Chunk(all, sdk.MaxBatch/2) {
		if err := t.linkBatch(ctx, chunk); err != nil {
			return err
		}
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
		t.doubtWithFirst(l)
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
		if l.node == nil && res.Err.Kind == sdk.KindNotExist {
			continue // its directory is still to be made, and the name with it
		}
		t.ledger.raise(l.path, sdk.Secondary, res.Err)
		if err := t.unlinked(ctx, l); err != nil {
			return err
		}
	}
	t.addCounts(counts)
	if err := t.restoreTimes(ctx, foreign); err != nil {
		return err
	}
	return t.restamp(ctx, foreign)
}

// isVersion reports whether the secondary's file is the version that the
// primary's entry describes, as far as looks go.
func (t *turn) isVersion(s, p *sdk.Entry) bool {
	return s.Type == sdk.TypeRegular && s.Size == p.Size && t.policy.MetaDiff(p, s, false)&sdk.MetaMtime == 0
}

// doubtWithFirst notes that a name was not done if nothing vouches for the first one
// that it is to be joined to: that failed in this turn, or what holds it did, as when it
// was renamed meanwhile. It may look like the version that it should be and be an
// earlier one. Should it come after this name by the next turn, for its new place, it
// would be joined to this one, and nobody would look at the contents of either.
func (t *turn) doubtWithFirst(l *link) {
	if l.node == nil {
		return // the first was just put into place
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	at := l.leader
	n := t.entered[at.Dir()]
	for ; n == nil; n = t.entered[at.Dir()] {
		at = at.Dir() // it is new, or has a mark that holds, if what holds it was done
	}
	if _, failed := n.again[at.Base()]; failed || !n.visited {
		l.node.failName(l.name)
	}
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
// marks that claim nothing bring the next turn there. The directory of a name
// that was not entered has such a mark already.
func (t *turn) unlinked(ctx context.Context, l *link) error {
	t.mu.Lock()
	t.again = true
	if l.node != nil {
		l.node.failName(l.name)
		t.release(l.node)
	} else {
		t.failAbove(l.path)
	}
	t.mu.Unlock()
	return t.unclaim(ctx, []sdk.Path{l.leader.Dir()})
}

// failAbove keeps the directories above path that were entered from getting
// their marks. The lock is held.
func (t *turn) failAbove(path sdk.Path) {
	for d := path.Dir(); ; d = d.Dir() {
		if n := t.entered[d]; n != nil {
			n.failed = true
		}
		if d == sdk.Root {
			return
		}
	}
}

// unclaimOthers is called before files are put into place that have further
// names: where such a name lies in a directory that is not entered, it will be
// joined to the new file, but until then the marks there would lie.
func (t *turn) unclaimOthers(ctx context.Context, staged []stagedFile) error {
	var dirs []sdk.Path
	for i := range staged {
		for _, p := range t.others(&staged[i]) {
			dirs = append(dirs, p.Dir())
		}
	}
	return t.unclaim(ctx, dirs)
}

// unclaim replaces the marks of directories and of all above them by ones that
// claim nothing, but for the point up to which what looks the same is the same.
func (t *turn) unclaim(ctx context.Context, dirs []sdk.Path) error {
	known := map[sdk.Path]bool{}
	var all []sdk.Path
	for _, d := range dirs {
		for ; !known[d]; d = d.Dir() {
			known[d] = true
			all = append(all, d)
		}
	}
	for chunk := range slices.Chunk(all, sdk.MaxBatch) {
		found, err := t.Target.Stat(ctx, chunk, t.markFields())
		if err != nil {
			return fmt.Errorf("read marks: %w", err)
		}
		var ops []sdk.Op
		for i := range found {
			// Where the way leads through something that is no directory there is none
			// with a mark either.
			if err := found[i].Err; err != nil && err.Kind != sdk.KindNotExist && err.Kind != sdk.KindChanged {
				return fmt.Errorf("read a mark: %w", err)
			}
			m, err := crawl.DecodeMark(found[i].Mark)
			switch {
			case err == nil && !m.XTime.IsZero():
				m.XTime = sdk.XTime{}
				ops = append(ops, sdk.Op{Kind: sdk.OpSetMark, Path: chunk[i], Mark: m.Encode(), Native: found[i].Native})
			case found[i].Mark == nil && !found[i].Native.IsZero():
				// Held by a native xtime; a mark of nothing goes before that.
				ops = append(ops, sdk.Op{Kind: sdk.OpSetMark, Path: chunk[i], Mark: m.Encode(), Native: found[i].Native})
			}
		}
		results, err := t.apply(ctx, ops)
		if err != nil {
			return err
		}
		for i := range results {
			if err := results[i].Err; err != nil && err.Kind != sdk.KindNotExist {
				return fmt.Errorf("change a mark: %w", err)
			}
		}
	}
	return nil
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
			t.doubtHeld(&entries[i])
			ops = append(ops, sdk.Op{Kind: sdk.OpSetMeta, Path: dirs[i], Meta: sdk.MetaOf(&entries[i], sdk.MetaMtime)})
		}
	}
	_, err = t.apply(ctx, ops)
	return err
}
