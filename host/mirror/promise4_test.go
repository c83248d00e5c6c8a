package mirror_test

import (
	"context"
	"errors"
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/gsyncd/gsyncd-host/host/mirror"
	"github.com/gsyncd/gsyncd-host/host/report"
	"github.com/gsyncd/gsyncd-host/sdk"
)

// shortScan ends listings of one directory early.
type shortScan struct {
	sdk.ScanSink
	at   int // the directory's place in the request
	keep int // entries let through
	cur  int
	sent int
}

func (s *shortScan) BeginDir(i int, self *sdk.Entry) error {
	s.cur, s.sent = i, 0
	return s.ScanSink.BeginDir(i, self)
}

func (s *shortScan) Entry(e *sdk.Entry) error {
	if s.cur == s.at {
		if s.sent++; s.sent > s.keep {
			return nil
		}
	}
	return s.ScanSink.Entry(e)
}

func (s *shortScan) EndDir(i int, err *sdk.Error) error {
	if i == s.at {
		err = &sdk.Error{Kind: sdk.KindTransient, Op: "list", Msg: "injected"}
	}
	return s.ScanSink.EndDir(i, err)
}

func shorten(dir sdk.Path, keep int) *hooks {
	return &hooks{scan: func(req sdk.ScanRequest, sink sdk.ScanSink, next func(sdk.ScanRequest, sdk.ScanSink) error) error {
		for i, d := range req.Dirs {
			if d == dir {
				return next(req, &shortScan{ScanSink: sink, at: i, keep: keep})
			}
		}
		return next(req, sink)
	}}
}

// TestPromise4NoBlindDelete: what a listing does not show is removed only if all
// listings of the turn were whole.
func TestPromise4NoBlindDelete(t *testing.T) {
	for _, dir := range []sdk.Path{".", "d"} {
		for _, keep := range []int{0, 1, 2} {
			r := newRig(t)
			r.sh("mkdir d e; for i in 1 2 3; do echo $i >d/$i; echo $i >e/$i; echo $i >$i; done")
			r.sync()
			r.sh("touch . d e; rm e/3")
			h := shorten(dir, keep)
			r.wrapSource = func(s sdk.Source) sdk.Source { return hookSource{s, h} }
			if err := r.run(mirror.Options{Once: true}); !errors.Is(err, mirror.ErrProblems) {
				t.Errorf("%s short: run: %v, want problems", dir, err)
			}
			for _, f := range []string{"d/1", "d/2", "d/3", "e/1", "1", "2", "3"} {
				if !r.exists(f) {
					t.Errorf("%s short after %d: %s was removed", dir, keep, f)
				}
			}
			if !r.exists("e/3") {
				t.Error("e/3 was removed, though it may have been moved to what was not seen")
			}
			r.wrapSource = nil
			r.sync()
			r.equal()
		}
	}
}

// TestPromise4RootReplacedWhileRunning: when another directory comes to stand in
// the place of a root, as when a filesystem is unmounted, the mirror ends.
func TestPromise4RootReplacedWhileRunning(t *testing.T) {
	for _, side := range []string{"$P", "$S"} {
		r := newRig(t)
		r.write("d/a", "a")
		r.sync()
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		end := make(chan error, 1)
		r.running.Store(nil) // the first run was in sync as well
		go func() { end <- r.runContext(ctx, mirror.Options{}) }()
		r.await(ctx, func(s report.Snapshot) bool { return s.State == report.InSync })
		at := map[string]string{"$P": r.primary, "$S": r.secondary}[side]
		if err := os.Mkdir(at+".old", 0o755); err != nil {
			t.Fatal(err)
		}
		// In one step, so that there is always a directory.
		if err := unix.Renameat2(unix.AT_FDCWD, at, unix.AT_FDCWD, at+".old", unix.RENAME_EXCHANGE); err != nil {
			t.Fatal(err)
		}
		if err := <-end; err == nil || ctx.Err() != nil {
			t.Errorf("%s replaced: run ended with %v", side, err)
		}
		cancel()
		if _, err := os.Stat(map[string]string{"$P": r.secondary, "$S": r.secondary + ".old"}[side] + "/d/a"); err != nil {
			t.Errorf("%s replaced: %v", side, err)
		}
		if side == "$S" && r.exists("d") {
			t.Error("what was put in the secondary's place was written to")
		}
	}
}

// TestPromise4GuardCountsTrees: an entry that another type replaces counts as
// removed, with all that is in it.
func TestPromise4GuardCountsTrees(t *testing.T) {
	r := newRig(t)
	r.sh("mkdir -p d/e; for i in 1 2 3 4 5; do echo $i >d/e/$i; done; echo k >k")
	r.sync()
	r.sh("rm -r d; echo file >d")
	r.maxDeletes = 6
	if err := r.run(mirror.Options{Once: true}); !errors.Is(err, mirror.ErrProblems) {
		t.Fatalf("run: %v, want problems", err)
	}
	if !r.exists("d/e/5") {
		t.Fatal("more was removed than allowed")
	}
	r.maxDeletes = 7
	r.sync()
	r.equal()
}
