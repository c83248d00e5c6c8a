package watch

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/gsyncd/gsyncd-host/host/marker"
	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/localfs"
	"github.com/gsyncd/gsyncd-host/sdk/localtree"
)

// rig is a tree with its index, and what tells where to look.
type rig struct {
	t       *testing.T
	tree    string
	state   string
	kind    string
	cross   bool
	src     sdk.Source
	index   *marker.Marker
	d       *Detector
	deaf    chan error
	first   marker.Hint // that the detector began with
	mute    bool        // no events are to be had
	said    spoken
	wrap    func(ear) ear
	hearing atomic.Int32
	kept    *os.File // of a file in the tree, opened before anybody listened
	swept   int      // looks at everything, those among them that directories made necessary
}

// spoken is what the log says, by several goroutines.
type spoken struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (s *spoken) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buf.Write(p)
}

func (s *spoken) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buf.String()
}

func (s *spoken) Reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.buf.Reset()
}

// newRig makes an empty tree below an existing directory.
func newRig(t *testing.T, base, kind string) *rig {
	t.Helper()
	r := &rig{t: t, tree: filepath.Join(base, "tree"), state: t.TempDir(), kind: kind}
	if err := os.Mkdir(r.tree, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.kill() })
	return r
}

// open begins as a mirror does: listens, and looks where the detector says.
func (r *rig) open() marker.Pass {
	r.t.Helper()
	var err error
	if r.src, err = localtree.OpenSource(r.tree, localtree.Options{CrossMounts: r.cross}); err != nil {
		r.t.Fatal(err)
	}
	if r.cross {
		r.src = fine{r.src}
	}
	if r.index, err = marker.Open(r.state, marker.Options{}); err != nil {
		r.t.Fatal(err)
	}
	r.deaf = make(chan error, 1)
	o := Options{
		Kind: r.kind, Source: r.src, Index: r.index, Pace: Pace{Every: time.Hour, Busy: 1},
		Logger: slog.New(slog.NewTextHandler(&r.said, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	root, err := openRoot(r.t.Context(), r.src)
	if err != nil {
		r.t.Fatal(err)
	}
	if r.d, err = newDetector(r.kind, root, o); err != nil {
		r.t.Fatal(err)
	}
	r.d.deafed = func(err error) { r.deaf <- err }
	if r.mute {
		r.d.ear.close()
		r.d.ear, r.d.past.silent = silence{}, true
	}
	r.d.ear = counted{r.d.ear, &r.hearing}
	if r.wrap != nil {
		r.d.ear = r.wrap(r.d.ear)
	}
	go r.d.listen()
	r.index.Watched(r.d.Watch)
	if r.first, err = r.d.Next(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
	return r.look(r.first)
}

// fine is a source of which it is known that no filesystem in it has coarse change
// times, so that what is young need not be looked at again after seconds.
type fine struct{ sdk.Source }

func (f fine) Beacon(ctx context.Context) (sdk.Beacon, error) {
	b, err := f.Source.Beacon(ctx)
	b.Window = 20 * time.Millisecond
	return b, err
}

// kill ends everything without a word, as the end of the process does.
func (r *rig) kill() {
	if r.d == nil {
		return
	}
	r.d.Close()
	_ = r.src.Close()
	r.d, r.index, r.src = nil, nil, nil
}

func (r *rig) look(hint marker.Hint) marker.Pass {
	r.t.Helper()
	p, err := r.index.Refresh(r.t.Context(), r.src, hint)
	r.d.Done(p, 0)
	if err != nil {
		r.t.Fatal(err)
	}
	return p
}

// idle reports whether all events of what was done before were read, and led to
// all looks that they lead to.
func (r *rig) idle() bool {
	r.t.Helper()
	if fd := r.d.ear.fd(); fd >= 0 {
		if n, err := unix.IoctlGetInt(fd, unix.TIOCINQ); err != nil || n > 0 {
			if err != nil {
				r.t.Fatal(err)
			}
			return false
		}
	}
	if r.hearing.Load() != 0 {
		return false
	}
	r.d.mu.Lock()
	defer r.d.mu.Unlock()
	asked := r.d.missed || r.d.past != nil && r.d.past.committing
	return len(r.d.told) == 0 && !r.d.lost && r.d.relook.IsZero() && !asked
}

// answers takes what a filesystem tells that is to be asked, however long that takes:
// Next gives an answer up when its context ends.
func (r *rig) answers() {
	for h := r.d.past; h != nil; <-time.After(time.Millisecond) {
		if r.d.recall(r.t.Context()); !h.committing {
			return
		}
	}
}

// counted is an ear that tells when it is at work.
type counted struct {
	ear
	at *atomic.Int32
}

func (c counted) hear(tell func(sdk.FileID) bool) (bool, error) {
	c.at.Add(1)
	defer c.at.Add(-1)
	return c.ear.hear(tell)
}

// quietTime is how long a look is waited for before it is asked whether any is
// still to come.
const quietTime = 30 * time.Millisecond

// follow looks where the detector says until it says nothing more. all counts the
// looks at everything.
func (r *rig) follow() (looks, all int) {
	r.t.Helper()
	for {
		r.answers()
		ctx, cancel := context.WithTimeout(r.t.Context(), quietTime)
		hint, err := r.d.Next(ctx)
		cancel()
		if errors.Is(err, context.DeadlineExceeded) {
			if r.idle() {
				return looks, all
			}
			continue
		}
		if err != nil {
			r.t.Fatal(err)
		}
		if looks++; looks > 1000 {
			r.t.Fatal("looks lead to looks")
		}
		if hint.All {
			all++
		}
		if p := r.look(hint); p.Swept {
			r.swept++
		}
	}
}

// noticed does something in the tree, and fails the test unless looks follow that find
// it. all says that one at everything is due, for what no event in the queue tells.
func (r *rig) noticed(what string, all bool, do func() error) {
	r.t.Helper()
	if err := do(); err != nil {
		r.t.Fatalf("%s: %v", what, err)
	}
	looks, full := r.follow()
	for end := time.Now().Add(time.Minute); all && full == 0 && time.Now().Before(end); {
		more, once := r.follow()
		looks, full = looks+more, full+once
	}
	if looks == 0 || (full > 0) != all {
		r.t.Errorf("%s: %d looks, %d of them at everything", what, looks, full)
	}
	if all {
		// The table may have changed more than once, and be read only after the next step.
		if err := r.d.remounted(true); err != nil {
			r.t.Fatal(err)
		}
		r.follow()
	}
	r.complete()
	if r.t.Failed() {
		r.t.Fatalf("after: %s", what)
	}
}

// complete fails the test unless a look at everything finds nothing that was not
// known already. Directories that it would list once more, for a file's other names,
// must turn out to be as they were.
func (r *rig) complete() {
	r.t.Helper()
	before := r.xtimes()
	var p marker.Pass
	for range 5 {
		p = r.look(marker.Hint{Sweep: true})
		if p.Changed {
			break
		}
		if !p.Racy {
			return
		}
	}
	r.d.mu.Lock()
	later := len(r.d.later)
	r.d.mu.Unlock()
	r.t.Errorf("a sweep finds what no event told of, racy: %v; %d directories were to be listed once more", p.Racy, later)
	for dir, x := range r.xtimes() {
		if before[dir] != x {
			out, _ := exec.Command("ls", "-lai", r.path(dir)).Output()
			r.t.Errorf("changed: %s, from %v to %v\n%s", dir, before[dir], x, out)
		}
	}
}

// xtimes are those of all directories.
func (r *rig) xtimes() map[string]sdk.XTime {
	r.t.Helper()
	out := map[string]sdk.XTime{}
	root, err := localfs.Open(r.tree)
	if err != nil {
		r.t.Fatal(err)
	}
	defer root.Close()
	_ = filepath.WalkDir(r.tree, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		rel, _ := filepath.Rel(r.tree, path)
		p := sdk.Root
		if rel != "." {
			p = sdk.Path(rel)
		}
		dir, err := root.OpenPath(p)
		if err != nil {
			r.t.Fatal(err)
		}
		defer dir.Close()
		self, err := dir.Stat()
		if err != nil {
			r.t.Fatal(err)
		}
		out[rel], _ = r.index.XTime(self.ID)
		return nil
	})
	return out
}

func (r *rig) path(name string) string { return filepath.Join(r.tree, name) }

func (r *rig) write(name, data string) {
	r.t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(r.path(name)), 0o755), os.WriteFile(r.path(name), []byte(data), 0o644)); err != nil {
		r.t.Fatal(err)
	}
}
