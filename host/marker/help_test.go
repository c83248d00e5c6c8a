package marker

import (
	"bytes"
	"log/slog"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/gsyncd/gsyncd-host/sdk"
)

// rig is a marker over a fake tree, with a wall clock of its own.
type rig struct {
	t    *testing.T
	fs   *fakeFS
	dir  string
	wall time.Time
	log  bytes.Buffer
	m    *Marker
	// told is what the marker is told of changes.
	told told
	hint Hint // of the last pass
	// teller and dice are for points.
	teller teller
	dice   *rand.Rand
	last   Pass
}

type told string

const (
	nothing told = ""
	native  told = "native"
	names   told = "names"
	points  told = "points"
)

// ways are all that a marker can be told.
func ways() []told { return []told{nothing, native, names, points} }

func newRigTold(t *testing.T, by told) *rig {
	r := newRig(t)
	r.told = by
	switch by {
	case native:
		r.fs.natively()
	case names:
		r.fs.watched()
	case points:
		r.dice = rand.New(rand.NewPCG(1, 1))
		r.fs.commit()
	}
	return r
}

func newRig(t *testing.T) *rig {
	r := &rig{t: t, fs: newFakeFS(t), dir: t.TempDir(), wall: time.Unix(1_700_000_000, 0)}
	r.open()
	t.Cleanup(func() { r.m.Close() })
	return r
}

func (r *rig) open() {
	r.t.Helper()
	clear(r.fs.dirty) // nobody watched meanwhile
	r.teller = teller{events: r.teller.events}
	m, err := Open(r.dir, Options{
		Logger: slog.New(slog.NewTextHandler(&r.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Clock:  func() time.Time { return r.wall },
	})
	if err != nil {
		r.t.Fatal(err)
	}
	if r.m = m; r.told == points {
		m.journal.batch = 1 // so that a crash may come between any two records
	}
}

// crash forgets what is in memory and loads what is on disk.
func (r *rig) crash() {
	r.t.Helper()
	r.m.journal.close()
	r.open()
}

// look makes one pass, a second after the one before.
func (r *rig) look() Pass {
	r.t.Helper()
	return r.lookAt(r.tell())
}

// tell is what there is to tell.
func (r *rig) tell() Hint {
	if r.told == points {
		return r.teller.hint(r)
	}
	hint := Hint{All: r.told != names}
	for id := range r.fs.dirty {
		hint.Dirs = append(hint.Dirs, id)
	}
	clear(r.fs.dirty)
	return hint
}

func (r *rig) lookAt(hint Hint) Pass {
	r.t.Helper()
	p, err := r.try(hint)
	if err != nil {
		r.t.Fatal(err)
	}
	return p
}

// try makes a pass that may break off.
func (r *rig) try(hint Hint) (Pass, error) {
	r.t.Helper()
	r.wall = r.wall.Add(time.Second)
	r.hint = hint
	holes := maps.Clone(r.fs.holes)
	resumes, log, epoch := hint.Since != "" && hint.Since == r.m.Point() && !hint.All, r.log.Len(), r.m.epoch
	r.fs.passes++
	p, err := r.m.Refresh(r.t.Context(), r.fs, hint)
	if p.Swept && err == nil {
		maps.DeleteFunc(r.fs.holes, func(id sdk.FileID, _ bool) bool { return holes[id] })
	}
	if resumes && p.Swept && epoch == r.m.epoch && !bytes.Contains(r.log.Bytes()[log:], []byte("a look at all of the primary is needed")) {
		r.t.Error("a start from the point went through the whole tree")
	}
	checkTree(r.t, r.m)
	r.last = p
	return p, err
}

// sweep makes passes through the whole tree until nothing is young.
func (r *rig) sweep() Pass {
	r.t.Helper()
	for range 5 {
		r.fs.pass()
		if p := r.lookAt(Hint{All: true, Sweep: true}); !p.Racy {
			return p
		}
	}
	r.t.Fatal("still racy after 5 sweeps")
	return Pass{}
}

// quiet lets time go by and makes passes until nothing is young, and returns
// the last one.
func (r *rig) quiet() Pass {
	r.t.Helper()
	for range 5 {
		r.fs.pass()
		if p := r.look(); !p.Racy {
			return p
		}
	}
	r.t.Fatal("still racy after 5 passes")
	return Pass{}
}

// xtimes gives the xtime of every directory of the tree by its path.
func (r *rig) xtimes() map[sdk.Path]sdk.XTime {
	r.t.Helper()
	out := map[sdk.Path]sdk.XTime{}
	for id, p := range r.fs.dirs() {
		x, ok := r.m.XTime(id)
		if !ok {
			r.t.Errorf("no xtime for %s", p)
		}
		out[p] = x
	}
	return out
}

// moved lists what differs between two states.
func changed(before, after map[sdk.Path]sdk.XTime) map[sdk.Path]bool {
	out := map[sdk.Path]bool{}
	for p, x := range after {
		if before[p] != x {
			out[p] = true
		}
	}
	return out
}

func set(paths ...sdk.Path) map[sdk.Path]bool {
	out := map[sdk.Path]bool{}
	for _, p := range paths {
		out[p] = true
	}
	return out
}

func (r *rig) expect(what string, want, got any) {
	r.t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		r.t.Errorf("%s (-want +got):\n%s", what, d)
	}
}

// index returns the bytes of the index.
func (r *rig) index() []byte {
	r.t.Helper()
	b, err := os.ReadFile(filepath.Join(r.dir, indexName))
	if err != nil {
		r.t.Fatal(err)
	}
	return b
}

func (r *rig) setIndex(b []byte) {
	r.t.Helper()
	if err := os.WriteFile(filepath.Join(r.dir, indexName), b, 0o600); err != nil {
		r.t.Fatal(err)
	}
}
