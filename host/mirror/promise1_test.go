package mirror_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/gsyncd/gsyncd-host/host/crawl"
	"github.com/gsyncd/gsyncd-host/host/mirror"
	"github.com/gsyncd/gsyncd-host/sdk"
)

// logbook records what is done to a secondary, in order.
type logbook struct {
	mu       sync.Mutex
	events   []event
	failSync bool
}

type event struct {
	kind string // "change", "staged", "sync", "claim"
	op   sdk.Op
}

func (l *logbook) add(kind string, op sdk.Op) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.events = append(l.events, event{kind, op})
}

func (l *logbook) wrap(t sdk.Target) sdk.Target {
	return hookTarget{t, &hooks{
		apply: func(ops []sdk.Op, next func([]sdk.Op) ([]sdk.OpResult, error)) ([]sdk.OpResult, error) {
			for _, op := range ops {
				if op.Kind != sdk.OpSetMark {
					l.add("change", op)
				} else if m, err := crawl.DecodeMark(op.Mark); err == nil && !m.XTime.IsZero() {
					l.add("claim", op)
				}
			}
			return next(ops)
		},
		write: func(next func() (sdk.Writer, error)) (sdk.Writer, error) {
			w, err := next()
			return loggedWriter{w, l}, err
		},
		sync: func(next func() error) error {
			if l.failSync {
				return &sdk.Error{Kind: sdk.KindTransient, Op: "sync", Errno: syscall.EIO}
			}
			err := next()
			l.add("sync", sdk.Op{})
			return err
		},
	}}
}

type loggedWriter struct {
	sdk.Writer
	log *logbook
}

func (w loggedWriter) Begin(f sdk.NewFile) error {
	w.log.add("staged", sdk.Op{Path: f.Path})
	return w.Writer.Begin(f)
}

// TestPromise1MarksNeverLie: data and entries are durable before the mark that
// vouches for them, a file's data before its name, marks of directories below
// before those above.
func TestPromise1MarksNeverLie(t *testing.T) {
	r := newRig(t)
	r.streamed = true
	l := &logbook{}
	r.wrapTarget = l.wrap
	r.sh("mkdir -p a/b/c d; for i in 1 2 3; do printf $i >a/$i; printf $i >a/b/c/$i; printf $i >d/$i; done; ln a/1 d/link; ln -s x a/b/sym")
	r.sync()
	checkOrder(t, l.events)
	l.events = nil
	r.sh("printf new >a/b/c/new; rm -r d; chmod 700 a/b; mv a/3 a/b/3; ln a/b/c/1 a/one")
	r.age() // what is young may take more than one turn
	r.sync()
	checkOrder(t, l.events)
	r.equal()
}

func checkOrder(t *testing.T, events []event) {
	t.Helper()
	synced, claims := -1, 0
	changed, staged, claimed := map[sdk.Path]int{}, map[sdk.Path]int{}, map[sdk.Path]int{}
	for i, e := range events {
		switch e.kind {
		case "sync":
			synced = i
		case "staged":
			staged[e.op.Path] = i
		case "change":
			for _, p := range []sdk.Path{e.op.Path, e.op.From} {
				if p == "" {
					continue
				}
				changed[p] = i
				for dir := range claimed {
					if p.Dir().Within(dir) || p == dir {
						t.Errorf("%s of %q after the mark of %q", e.op.Kind, p, dir)
					}
				}
			}
			if at, ok := staged[e.op.From]; ok && e.op.Kind == sdk.OpRename && at > synced {
				t.Errorf("%q got its name before its data was durable", e.op.Path)
			}
		case "claim":
			claims++
			claimed[e.op.Path] = i
			for p, at := range changed {
				if p.Within(e.op.Path) && at > synced {
					t.Errorf("the mark of %q came before the change of %q was durable", e.op.Path, p)
				}
			}
			for dir := range claimed {
				if dir != e.op.Path && e.op.Path.Within(dir) {
					t.Errorf("the mark of %q came before that of %q below it", dir, e.op.Path)
				}
			}
			if e.op.Path == sdk.Root { // the turn is over
				clear(claimed)
				clear(changed)
			}
		}
	}
	if claims == 0 {
		t.Error("no marks were set")
	}
}

// TestPromise1NoMarkWithoutSync: a sync that fails leaves nothing claimed.
func TestPromise1NoMarkWithoutSync(t *testing.T) {
	r := newRig(t)
	l := &logbook{failSync: true}
	r.wrapTarget = l.wrap
	r.write("a/f", "f")
	r.sh("mkdir b")
	if err := r.run(mirror.Options{Once: true}); err == nil || errors.Is(err, mirror.ErrProblems) {
		t.Fatalf("run: %v, want the sync's error", err)
	}
	var claims []string
	for _, e := range l.events {
		if e.kind == "claim" {
			claims = append(claims, fmt.Sprint(e.op.Path))
		}
	}
	if len(claims) > 0 {
		t.Errorf("marks of %s were set though nothing was durable", strings.Join(claims, ", "))
	}
	if r.exists("a/f") {
		t.Error("a file got its name before its data was durable")
	}
	l.failSync = false
	r.sync()
	r.equal()
}

// TestPromise1CutListing: where the secondary's listing breaks off, what comes after
// is not taken for missing, and a directory there not for a new one with nothing in
// it: its mark would hide what has to be removed.
func TestPromise1CutListing(t *testing.T) {
	r := newRig(t)
	r.sh("mkdir b; echo 1 >a; echo 2 >b/keep; echo 3 >b/old")
	r.sync()
	r.sh("rm b/old; touch .")
	cut := &sdk.Error{Kind: sdk.KindTransient, Op: "list", Errno: syscall.EIO}
	r.wrapTarget = func(t sdk.Target) sdk.Target {
		return hookTarget{t, &hooks{scan: func(req sdk.ScanRequest, sink sdk.ScanSink, next func(sdk.ScanRequest, sdk.ScanSink) error) error {
			if cut != nil && req.Dirs[0] == sdk.Root {
				sink = &cutSink{ScanSink: sink, after: "a", err: cut}
				cut = nil
			}
			return next(req, sink)
		}}}
	}
	if err := r.run(mirror.Options{Turns: 1}); !errors.Is(err, mirror.ErrProblems) {
		t.Errorf("run: %v, want problems", err)
	}
	r.sync()
	r.equal()
}

// cutSink ends the first directory of a scan with an error after one of its names.
type cutSink struct {
	sdk.ScanSink
	after string
	err   *sdk.Error
	off   bool
}

func (s *cutSink) Entry(e *sdk.Entry) error {
	if s.off {
		return nil
	}
	s.off = e.Name == s.after
	return s.ScanSink.Entry(e)
}

func (s *cutSink) EndDir(i int, _ *sdk.Error) error { return s.ScanSink.EndDir(i, s.err) }
