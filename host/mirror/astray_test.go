package mirror_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/gsyncd/gsyncd-host/host/marker"
	"github.com/gsyncd/gsyncd-host/host/mirror"
	"github.com/gsyncd/gsyncd-host/host/report"
	"github.com/gsyncd/gsyncd-host/host/watch"
	"github.com/gsyncd/gsyncd-host/sdk"
)

// astrayTree has two files in p/x; all else is there to be moved to, or through.
const astrayTree = "mkdir -p p/x/deep p/w q r; echo 1 >p/x/1; echo 2 >p/x/deep/2; echo 3 >p/w/3"

// TestRenamedDuringTheTurn renames directories between a turn's pass and its walk.
// What is in them is not sent once more: the next turn moves them.
func TestRenamedDuringTheTurn(t *testing.T) {
	for _, c := range []struct {
		name   string
		before string   // what makes the turn enter the parents
		mid    []string // between the pass and the walk of one turn each
		files  int64    // sent after the first synchronization
		// stay are directories of the secondary before and after: the same one.
		stay map[string]string
	}{
		{"to another name", "echo >p/t", []string{"mv p/x p/y"}, 1, map[string]string{"p/x": "p/y"}},
		{"between parents that are entered", "echo >p/t; echo >q/t", []string{"mv p/x q/x"}, 2, map[string]string{"p/x": "q/x"}},
		{"into one that is not entered", "echo >p/t", []string{"mv p/x q/x"}, 1, map[string]string{"p/x": "q/x"}},
		{"out of one that is not entered", "echo >q/t", []string{"mv p/x q/x"}, 1, map[string]string{"p/x": "q/x"}},
		{"through several parents", "echo >p/t; echo >q/t", []string{"mv p/x q/x; mv q r/q; mv r/q/x p/z; mv p o"}, 2, map[string]string{"p/x": "o/z", "q": "r/q", "p": "o"}},
		{"out of one that is removed", "echo >p/w/3; echo >q/t", []string{"mv p/x q/x; rm -r p"}, 1, map[string]string{"p/x": "q/x"}},
		{"into a new one", "echo >p/t; echo >q/t", []string{"mkdir q/n; mv p/x q/n/x"}, 2, map[string]string{"p/x": "q/n/x"}},
		{"away and back", "echo >p/t; echo >q/t", []string{"mv p/x q/x", "mv q/x p/x"}, 2, map[string]string{"p/x": "p/x"}},
		{"again in the next turn", "echo >p/t; echo >q/t", []string{"mv p/x q/x", "mv q/x p/y"}, 2, map[string]string{"p/x": "p/y"}},
		{"two in each other's place", "echo >p/t", []string{"mv p/x o; mv p/w p/x; mv o p/w"}, 1, map[string]string{"p/x": "p/w", "p/w": "p/x"}},
		{"with what held it", "echo >p/t; echo >p/x/1", []string{"mv p o"}, 2, map[string]string{"p": "o", "p/x": "o/x"}},
		{"and a file comes into its place", "echo >p/t; echo >q/t", []string{"mv p/x q/x; echo f >p/x"}, 3, map[string]string{"p/x": "q/x"}},
		{"and a new one comes into its place", "echo >p/t; echo >q/t", []string{"mv p/x q/x; mkdir p/x; echo n >p/x/n"}, 3, map[string]string{"p/x": "q/x"}},
		{"and another comes into its place", "echo >p/t; echo >q/t", []string{"mv p/x q/x; mv p/w p/x"}, 2, map[string]string{"p/x": "q/x", "p/w": "p/x"}},
		{"and a file in it before", "mv p/w/3 p/x/4; echo >q/t", []string{"mv p/x q/x"}, 2, map[string]string{"p/x": "q/x"}},
		{"removed", "echo >p/t", []string{"rm -r p/x"}, 1, nil},
		{"moved out of the tree", "echo >p/t", []string{"mv p/x $P.away"}, 1, nil},
	} {
		for _, kind := range []string{"", watch.Fanotify, watch.Inotify, "native"} {
			t.Run(c.name+" "+kind, func(t *testing.T) {
				t.Parallel()
				r := astrayRig(t, kind)
				stay := map[string]uint64{}
				for from := range c.stay {
					stay[from] = inode(t, filepath.Join(r.secondary, from))
				}
				ctx, end := r.during(c.before, c.mid)
				r.same(ctx, c.name)
				end()
				if done := r.tracker.Snapshot().Done; done.Files != c.files {
					t.Errorf("%+v, want %d files", done, c.files)
				}
				for from, to := range c.stay {
					if inode(t, filepath.Join(r.secondary, to)) != stay[from] {
						t.Errorf("%s was made anew, as %s", from, to)
					}
				}
			})
		}
	}
}

// between is a rig in which something happens between pass and walk.
type between struct {
	*rig
	mu     sync.Mutex
	before string
	mid    []string
	old    bool // what was done before is older than the window at the pass
}

// astrayRig has mirrored astrayTree.
func astrayRig(t *testing.T, kind string) *between {
	t.Helper()
	r := &between{rig: newRigAt(t, memoryDir(t))}
	r.retry.Max = 20 * time.Millisecond
	switch kind {
	case "native":
		newVolume(r.rig)
	case watch.Fanotify:
		if os.Geteuid() != 0 {
			t.Skip("SKIPPED, NOT TESTED: fanotify needs root")
		}
		fallthrough
	case watch.Inotify:
		r.events = kind
	}
	r.sh(astrayTree)
	r.sync()
	r.age()
	return r
}

// during lets a mirror run: before is done before its second look, and mid after the
// pass of that look and of those that follow, one each. end ends it.
func (r *between) during(before string, mid []string) (ctx context.Context, end func()) {
	r.t.Helper()
	r.wrapMarker = func(m *marker.Marker) mirror.Marker { return &betweenMarker{m, r} }
	ctx, end = r.follow()
	r.mu.Lock()
	r.before, r.mid = before, mid
	r.mu.Unlock()
	r.sh("chmod 700 r") // where nothing else happens
	return ctx, end
}

// betweenMarker changes the primary between pass and walk.
type betweenMarker struct {
	*marker.Marker
	r *between
}

func (m *betweenMarker) Refresh(ctx context.Context, src sdk.Source, hint marker.Hint) (marker.Pass, error) {
	m.r.mu.Lock()
	defer m.r.mu.Unlock()
	if m.r.before != "" {
		m.r.sh(m.r.before)
		m.r.before, hint.All = "", true
		if m.r.old {
			m.r.age()
		}
	} else if len(m.r.mid) == 0 {
		return m.Marker.Refresh(ctx, src, hint)
	}
	pass, err := m.Marker.Refresh(ctx, src, hint)
	if err == nil && len(m.r.mid) > 0 {
		m.r.sh(m.r.mid[0])
		m.r.mid = m.r.mid[1:]
	}
	return pass, err
}

// TestRenamedInEachTurn: a directory that is never where it was is brought all the
// same, and not removed before.
func TestRenamedInEachTurn(t *testing.T) {
	r := astrayRig(t, "")
	var mid []string
	for i := range 40 {
		mid = append(mid, fmt.Sprintf("mv p/x* p/x.%d; echo >p/t.%d", i, i))
	}
	ctx, _ := r.during("echo >p/x/new", mid)
	r.await(ctx, func(report.Snapshot) bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		if len(r.mid) == 0 {
			t.Fatal("not brought while it was renamed in each turn")
		}
		brought, _ := filepath.Glob(filepath.Join(r.secondary, "p/x.*/new"))
		return len(brought) > 0
	})
	r.same(ctx, "the renames")
}

// TestRenamedDuringTheTurnAndKept: what keeps names moves nothing, and so leaves
// nothing to the next turn.
func TestRenamedDuringTheTurnAndKept(t *testing.T) {
	r := astrayRig(t, "")
	r.keep = true
	ctx, _ := r.during("echo >p/t; echo >q/t", []string{"mv p/x q/x"})
	r.await(ctx, func(s report.Snapshot) bool { return s.State == report.InSync && r.exists("q/x/deep/2") })
	if done := r.tracker.Snapshot().Done; done.Renames != 0 || done.Files != 4 || !r.exists("p/x/1") {
		t.Errorf("%+v", done)
	}
}

// TestRenamedDuringTheTurnAndStuck: the secondary cannot carry out the move.
func TestRenamedDuringTheTurnAndStuck(t *testing.T) {
	r := astrayRig(t, "")
	r.wrapTarget = func(s sdk.Target) sdk.Target {
		return hookTarget{s, &hooks{apply: func(ops []sdk.Op, next func([]sdk.Op) ([]sdk.OpResult, error)) ([]sdk.OpResult, error) {
			for i := range ops {
				if ops[i].Kind == sdk.OpRename && !sdk.Reserved(ops[i].From.Base()) {
					ops[i].From = "nowhere"
				}
			}
			return next(ops)
		}}}
	}
	ctx, _ := r.during("echo >p/t; echo >q/t", []string{"mv p/x q/x"})
	r.same(ctx, "a move that failed")
}

// TestRenamedBehindThePass renames a directory while the pass goes on: into one that
// is listed already, out of one that is not.
func TestRenamedBehindThePass(t *testing.T) {
	for _, kind := range []string{"", watch.Inotify} {
		t.Run(kind, func(t *testing.T) {
			r := astrayRig(t, kind)
			was := inode(t, filepath.Join(r.secondary, "p/x/deep"))
			var once sync.Once
			r.wrapSource = func(s sdk.Source) sdk.Source {
				return hookSource{s, &hooks{scan: func(req sdk.ScanRequest, sink sdk.ScanSink, next func(sdk.ScanRequest, sdk.ScanSink) error) error {
					_, err := os.Lstat(filepath.Join(r.primary, "p/x/t"))
					if err == nil && req.Fields&sdk.FieldTarget == 0 && slices.Contains(req.Dirs, "p/x") {
						once.Do(func() { r.sh("mv p/x/deep q/deep") })
					}
					return next(req, sink)
				}}}
			}
			ctx, end := r.during("echo >p/x/t; echo >q/t", nil)
			r.await(ctx, func(s report.Snapshot) bool {
				return s.State == report.InSync && unequal(r.rig) == "" && r.exists("q/deep")
			})
			end()
			if done := r.tracker.Snapshot().Done; done.Files != 2 || inode(t, filepath.Join(r.secondary, "q/deep")) != was {
				t.Errorf("%+v: made anew", done)
			}
		})
	}
}

// TestSeenElsewhere: what no pass ever finds where the crawl meets it, as a directory
// that is mounted in two places, is brought all the same, and removed.
func TestSeenElsewhere(t *testing.T) {
	r := astrayRig(t, "")
	r.sh("mkdir -p n/o; echo 1 >n/1; echo 2 >n/o/2; rm -r p")
	r.wrapMarker = func(m *marker.Marker) mirror.Marker { return elsewhere{m} }
	ctx, _ := r.follow()
	r.same(ctx, "three turns")
}

// elsewhere is a marker that has no directory in its place.
type elsewhere struct{ *marker.Marker }

func (e elsewhere) Place(id sdk.FileID) (marker.Place, bool) {
	at, ok := e.Marker.Place(id)
	at.Name += "."
	return at, ok
}

// TestRenamedWithTheFirstName renames the directory with a file's first name between
// pass and walk. The other names must not count as brought with it: once it has its new
// place they come first, and all would rely on each other.
func TestRenamedWithTheFirstName(t *testing.T) {
	for _, kind := range []string{"", watch.Inotify} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			r := astrayRig(t, kind)
			r.sh("echo old >p/x/linked; ln p/x/linked q/linked")
			r.sync()
			r.age()
			r.old = true
			// The same size and time, as of an image that is written in place.
			ctx, _ := r.during("touch -r q/linked $P.time; printf new | dd of=q/linked conv=notrunc status=none; touch -r $P.time q/linked", []string{"mv p r/p"})
			r.await(ctx, func(s report.Snapshot) bool { return s.State == report.InSync && r.exists("r/p/x/linked") })
			r.same(ctx, "the rename")
		})
	}
}
