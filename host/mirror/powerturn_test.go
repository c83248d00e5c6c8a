package mirror_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/gsyncd/gsyncd-host/host/marker"
	"github.com/gsyncd/gsyncd-host/host/mirror"
	"github.com/gsyncd/gsyncd-host/host/watch"
	"github.com/gsyncd/gsyncd-host/sdk"
)

// lateTree has a directory for each thing that may happen after a look.
const lateTree = `
	for d in created rewritten deleted renamed moded copied attrs link held held/created held/rewritten held/deleted held/copied; do
		mkdir -p $d/sub; echo 1 >$d/f; echo 2 >$d/g; echo 3 >$d/sub/f
	done`

// lates are turns, with what happens before and after their look, in that order.
var lates = []struct {
	name, before, after string
	// sweep has the turn enter what nothing happened to, too.
	sweep bool
	// broken has it end once the first files are in place.
	broken bool
	// lost are the names that differ once power was lost, if nobody has noted them.
	lost []string
}{
	{
		name: "turn",
		// All are to be entered, but what is held.
		before: `for d in [a-g]* [i-z]*; do echo new >$d/new; done; ln -s one link/late`,
		after: `
			echo after >created/late; echo longer than it was >rewritten/f; rm deleted/g
			mv renamed/f renamed/h; chmod 600 moded/f; chmod 700 held; echo after >late`,
		lost: []string{"created/late", "rewritten/f", "deleted/g", "renamed/f", "renamed/h", "moded/f", "copied/new", "attrs", "link/late", "held", "late"},
	},
	{
		name:  "sweep",
		after: `echo after >held/created/late; echo longer than it was >held/rewritten/f; rm held/deleted/g; echo longer >held/copied/f`,
		sweep: true,
		lost:  []string{"held/created/late", "held/rewritten/f", "held/deleted/g", "held/copied/f"},
	},
	{
		name:  "broken sweep",
		after: `echo after >held/created/again; echo longer than it was >held/rewritten/f; echo longer >held/copied/f`,
		sweep: true, broken: true,
		lost: []string{"held/created/again", "held/rewritten/f", "held/copied/f"},
	},
}

// lateTurn does one turn in which the primary changes after the look, and lets the
// primary lose that.
type lateTurn struct {
	*rig
	d     *powered
	after func()
	tell  bool // or else what is in doubt is not noted: then the test must fail
}

type lateMarker struct {
	mirror.Marker
	l *lateTurn
}

func (m *lateMarker) Refresh(ctx context.Context, src sdk.Source, hint marker.Hint) (marker.Pass, error) {
	pass, err := m.Marker.Refresh(ctx, src, hint)
	m.l.d.sync() // what the look saw stays
	m.l.d.cut()
	m.l.after()
	return pass, err
}

func (m *lateMarker) Doubt(ids []sdk.FileID) error {
	if !m.l.tell {
		return nil
	}
	return m.Marker.Doubt(ids)
}

// hooks change what is read once more after it was listed, right before that.
func (l *lateTurn) hooks() *hooks {
	once := map[sdk.Path]func(){
		"copied/new": sync.OnceFunc(func() { l.sh("echo and more >>copied/new") }),
		"attrs":      sync.OnceFunc(func() { l.sh("touch -d 2002-02-02 attrs") }),
		"link/late":  sync.OnceFunc(func() { l.sh("chown -h 12:12 link/late; touch -h -d 2001-01-01 link/late") }),
	}
	change := func(paths []sdk.Path) {
		for p, f := range once {
			if slices.Contains(paths, p) {
				f()
			}
		}
	}
	return &hooks{
		read: func(paths []sdk.Path, sink sdk.ReadSink, next func([]sdk.Path, sdk.ReadSink) error) error {
			change(paths)
			return next(paths, sink)
		},
		stat: func(paths []sdk.Path, fields sdk.Fields, next func() ([]sdk.Entry, error)) ([]sdk.Entry, error) {
			if fields&sdk.FieldXattrs != 0 {
				change(paths)
			}
			return next()
		},
	}
}

// do is the turn, which ends in a kill.
func (l *lateTurn) do(broken bool) {
	l.t.Helper()
	index, kept := filepath.Join(l.state, "index"), l.t.TempDir()
	l.ended = func(*marker.Marker, sdk.Source) { l.must(os.CopyFS(kept, os.DirFS(index))) }
	l.closed = func() { l.must(errors.Join(os.RemoveAll(index), os.CopyFS(index, os.DirFS(kept)))) }
	l.wrapMarker = func(m *marker.Marker) mirror.Marker { return &lateMarker{m, l} }
	l.wrapSource = func(s sdk.Source) sdk.Source { return hookSource{s, l.hooks()} }
	if broken {
		l.wrapTarget = func(s sdk.Target) sdk.Target {
			return hookTarget{s, &hooks{apply: func(ops []sdk.Op, next func([]sdk.Op) ([]sdk.OpResult, error)) ([]sdk.OpResult, error) {
				results, err := next(ops)
				if slices.ContainsFunc(ops, func(o sdk.Op) bool { return o.Kind == sdk.OpRename }) {
					err = &sdk.Error{Kind: sdk.KindGone, Op: "apply"}
				}
				return results, err
			}}}
		}
	}
	err := l.run(mirror.Options{Turns: 1})
	if broken != (err != nil && !errors.Is(err, mirror.ErrProblems)) {
		l.t.Errorf("the turn ended with %v", err)
	}
	l.ended, l.closed, l.wrapMarker, l.wrapSource, l.wrapTarget = nil, nil, nil, nil, nil
}

// differing gives what differs in the trees.
func (l *lateTurn) differing() map[string]string {
	l.t.Helper()
	return differences(surveyOf(l.t, l.primary), surveyOf(l.t, l.secondary))
}

// TestPowerIsLostAfterATurn: what a turn saw that its look had not seen is lost with the
// primary's power, and the index knows the primary just as it is then. The next start
// makes the trees equal all the same.
func TestPowerIsLostAfterATurn(t *testing.T) {
	for _, c := range []struct {
		name, events string
		size         int64
		mkfs         []string
	}{
		{"ext4, scanned", "", 64 << 20, []string{"mkfs.ext4", "-q", "-F"}},
		{"ext4", watch.Fanotify, 64 << 20, []string{"mkfs.ext4", "-q", "-F"}},
		{"xfs", watch.Inotify, 320 << 20, []string{"mkfs.xfs", "-q"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := newPowered(t, c.size, c.mkfs...)
			r := newRigAt(t, memoryDir(t))
			r.primary, r.events, r.streamed = filepath.Join(d.dir, "p"), c.events, true
			r.must(os.Mkdir(r.primary, 0o755))
			r.sh(lateTree)
			r.age()
			r.sync()
			for _, late := range lates {
				if late.sweep && c.events == "" {
					continue // there are none
				}
				for _, tell := range []bool{false, true} {
					r.sh(late.before)
					r.age()
					if late.sweep {
						r.sweep, r.session.Swept = time.Hour, 1 // overdue
					}
					l := &lateTurn{rig: r, d: d, after: func() { r.sh(late.after) }, tell: tell}
					l.do(late.broken)
					if got := l.differing(); len(got) > 0 && !late.broken {
						t.Fatalf("told %v: a %s left something undone: %q", tell, late.name, got)
					}
					d.back()
					r.sweep = 0
					r.sync()
					got := l.differing()
					if tell {
						if len(got) > 0 {
							t.Errorf("after a %s: %q", late.name, got)
						}
						continue
					}
					// Or the other half of this test would prove nothing.
					for _, name := range late.lost {
						if got[name] == "" {
							t.Errorf("after a %s without a word to the index %q does not differ", late.name, name)
						}
					}
					if err := r.run(mirror.Options{Once: true, Full: true}); err != nil {
						t.Fatal(err)
					}
					r.sh("rm -f link/late")
					r.sync()
				}
			}
		})
	}
}

// doubtCounter counts what the index is told, and does something after the first look.
type doubtCounter struct {
	mirror.Marker
	after func()
	mu    sync.Mutex
	calls int
	ids   map[sdk.FileID]bool
}

func (c *doubtCounter) Refresh(ctx context.Context, src sdk.Source, hint marker.Hint) (marker.Pass, error) {
	pass, err := c.Marker.Refresh(ctx, src, hint)
	c.after()
	c.after = func() {}
	return pass, err
}

func (c *doubtCounter) Doubt(ids []sdk.FileID) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, id := range ids {
		c.ids[id] = true
	}
	c.calls++
	return c.Marker.Doubt(ids)
}

// TestDoubtCosts: a tree that holds still costs not one word to the index, whatever is
// in it. What changed after the look costs one for all that is marked together, and no
// turn that it would not have cost without.
func TestDoubtCosts(t *testing.T) {
	both(t, func(t *testing.T, r *rig) {
		r = r.inMemory()
		run := func(opts mirror.Options, script string) *doubtCounter {
			t.Helper()
			c := &doubtCounter{after: func() { r.sh(script) }, ids: map[sdk.FileID]bool{}}
			r.wrapMarker = func(m *marker.Marker) mirror.Marker { c.Marker = m; return c }
			if err := r.run(opts); err != nil {
				t.Fatalf("%v; problems %+v", err, r.tracker.Snapshot().Problems)
			}
			r.equal()
			return c
		}
		r.sh(lateTree + "; ln -s f copied/link; ln copied/f copied/hard; ln copied/f attrs/hard; mkfifo copied/pipe; touch -d 2100-01-01 copied/to-come; chmod 500 link/sub")
		r.age()
		for _, opts := range []mirror.Options{{Once: true}, {Once: true, Full: true}} {
			if c := run(opts, "true"); c.calls > 0 {
				t.Errorf("%+v: the index was told of %d directories where nothing changed", opts, len(c.ids))
			}
		}
		c := run(mirror.Options{Once: true}, "true")
		if visited := r.tracker.Snapshot().Done.Visited; c.calls > 0 || visited > 0 {
			t.Errorf("in a quiet tree the index was told %d times, %d directories were entered", c.calls, visited)
		}
		r.sh("for d in [a-g]*; do echo new >$d/new; done")
		r.age()
		c = run(mirror.Options{Once: true}, "for d in [a-g]*; do echo after >$d/after; done")
		s := r.tracker.Snapshot()
		// The root and these four are entered by each turn: two that bring something, and one
		// more if that was too young. All get their marks at once, if it does not take long.
		if c.calls < 1 || c.calls > 2 || len(c.ids) != 4 || s.Done.Visited > 3*5 {
			t.Errorf("told %d times of %d directories; %d looks, %d directories entered", c.calls, len(c.ids), s.Turns, s.Done.Visited)
		}
		if run(mirror.Options{Once: true}, "true"); r.tracker.Snapshot().Done.Visited > 0 {
			t.Error("a restart has something left to look at")
		}
	})
}
