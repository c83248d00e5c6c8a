package mirror_test

import (
	"context"
	"errors"
	"math/bits"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/gsyncd/gsyncd-host/host/mirror"
	"github.com/gsyncd/gsyncd-host/host/report"
	"github.com/gsyncd/gsyncd-host/sdk"
)

// badReads is a primary on which files whose names begin with "bad" cannot be
// read, and a count of how often that was tried.
type badReads struct {
	tries atomic.Int64
	cured atomic.Bool
}

func (b *badReads) wrap(s sdk.Source) sdk.Source {
	return hookSource{s, &hooks{read: func(paths []sdk.Path, sink sdk.ReadSink, next func([]sdk.Path, sdk.ReadSink) error) error {
		return next(paths, badSink{sink, paths, b})
	}}}
}

type badSink struct {
	sdk.ReadSink
	paths []sdk.Path
	bad   *badReads
}

func (s badSink) EndFile(i int, after *sdk.Entry, err *sdk.Error) error {
	if strings.HasPrefix(s.paths[i].Base(), "bad") && !s.bad.cured.Load() {
		s.bad.tries.Add(1)
		err = &sdk.Error{Kind: sdk.KindTransient, Op: "read", Path: s.paths[i], Errno: syscall.EIO}
	}
	return s.ReadSink.EndFile(i, after, err)
}

// TestPromise6OneOddEntry: a file that cannot be read stops neither its siblings
// nor other directories, and keeps the marks away from the directories above it
// alone.
func TestPromise6OneOddEntry(t *testing.T) {
	r := newRig(t)
	r.streamed = true
	var bad badReads
	r.wrapSource = bad.wrap
	r.sh("mkdir -p d/sub e; for f in d/1 d/bad d/z d/sub/1 e/1; do echo $f >$f; done")
	if err := r.run(mirror.Options{Once: true}); !errors.Is(err, mirror.ErrProblems) {
		t.Fatalf("run: %v, want problems", err)
	}
	for _, f := range []string{"d/1", "d/z", "d/sub/1", "e/1"} {
		if !r.exists(f) {
			t.Errorf("%s did not arrive", f)
		}
	}
	if r.exists("d/bad") {
		t.Error("the unreadable file arrived")
	}
	s := r.tracker.Snapshot()
	if len(s.Problems) != 1 || s.Problems[0].Path != "d/bad" || s.Problems[0].Kind != sdk.KindTransient || s.Problems[0].Attempts < 2 {
		t.Errorf("problems %+v, want d/bad after two attempts or more", s.Problems)
	}
	for dir, want := range map[string]bool{".": false, "d": false, "d/sub": true, "e": true} {
		m, ok := markOf(filepath.Join(r.secondary, dir))
		if got := ok && !m.XTime.IsZero(); got != want {
			t.Errorf("%s has a mark: %v, want %v", dir, got, want)
		}
	}
	bad.cured.Store(true)
	r.sync()
	r.equal()
}

// TestPromise6NoSpin: problems that stay are retried with back-off, also when
// their directory is moved or replaced meanwhile, and cost nothing in between.
func TestPromise6NoSpin(t *testing.T) {
	for name, change := range map[string]string{
		"left alone": "true",
		"moved":      "mv d c",
		"removed":    "rm -r d",
		"replaced":   "rm -r d; echo file >d",
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.log = quietLog()
			r.streamed = true
			r.retry = mirror.Retry{Min: 100 * time.Millisecond, Max: time.Minute, Attempts: 1}
			var bad badReads
			r.wrapSource = bad.wrap
			var visits atomic.Int64
			r.wrapTarget = func(t sdk.Target) sdk.Target {
				return hookTarget{t, &hooks{scan: func(req sdk.ScanRequest, sink sdk.ScanSink, next func(sdk.ScanRequest, sdk.ScanSink) error) error {
					visits.Add(1)
					return next(req, sink)
				}}}
			}
			r.sh("mkdir -p d/e f; for f in d/e/bad d/e/1 f/bad f/1; do echo $f >$f; done")
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			end := make(chan error, 1)
			go func() { end <- r.runContext(ctx, mirror.Options{}) }()
			r.await(ctx, func(s report.Snapshot) bool { return s.ProblemCount == 2 && s.State == report.Waiting })
			r.sh(change)
			before := r.running.Load().Snapshot().Turns
			r.await(ctx, func(s report.Snapshot) bool { return s.Turns > before+2 })
			visits.Store(0)
			bad.tries.Store(0)
			began := time.Now()
			<-time.After(800 * time.Millisecond)
			// Waits of 100, 200, 400 ms: of each file, four tries at the most fall into any
			// 800 ms, and each turn lists three chunks at the most. More do if this is woken late.
			v, n := visits.Load(), bad.tries.Load()
			took := time.Since(began)
			most := int64(2 * bits.Len64(uint64(took/r.retry.Min)+1))
			if v > most*5/2 || n > most {
				t.Errorf("%d listings and %d tries in %v", v, n, took)
			}
			bad.cured.Store(true)
			r.await(ctx, func(s report.Snapshot) bool { return s.State == report.InSync && s.ProblemCount == 0 })
			cancel()
			<-end
			r.equal()
		})
	}
}

// TestGoneForAMoment: a file is not there when it is to be read, and is there again at
// the next look. That finds nothing new, as one does that comes before the event.
func TestGoneForAMoment(t *testing.T) {
	r := newRig(t)
	r.streamed = true
	var gone atomic.Bool
	r.wrapSource = func(s sdk.Source) sdk.Source {
		return hookSource{s, &hooks{read: func(paths []sdk.Path, sink sdk.ReadSink, next func([]sdk.Path, sdk.ReadSink) error) error {
			return next(paths, momentSink{sink, &gone})
		}}}
	}
	r.sh("echo 1 >f")
	r.age()
	if s := r.sync(); !gone.Load() || s.Done.Files != 1 || !r.exists("f") {
		t.Errorf("%+v", s.Done)
	}
}

// momentSink says that the first file is gone.
type momentSink struct {
	sdk.ReadSink
	gone *atomic.Bool
}

func (s momentSink) EndFile(i int, after *sdk.Entry, err *sdk.Error) error {
	if s.gone.CompareAndSwap(false, true) {
		err = &sdk.Error{Kind: sdk.KindNotExist, Op: "read", Errno: syscall.ENOENT}
	}
	return s.ReadSink.EndFile(i, after, err)
}
