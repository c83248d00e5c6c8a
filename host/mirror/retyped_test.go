package mirror_test

import (
	"errors"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/gsyncd/gsyncd-host/host/mirror"
	"github.com/gsyncd/gsyncd-host/host/report"
	"github.com/gsyncd/gsyncd-host/sdk"
)

// afterListing does something right after the crawl has the listing of a directory.
type afterListing struct {
	sdk.ScanSink
	dirs []sdk.Path
	of   sdk.Path
	do   func()
}

func (s *afterListing) EndDir(i int, err *sdk.Error) error {
	if s.dirs[i] == s.of {
		s.do()
	}
	return s.ScanSink.EndDir(i, err)
}

// listed has do done each time the crawl has listed dir.
func (r *rig) listed(dir sdk.Path, do func()) {
	r.wrapSource = func(s sdk.Source) sdk.Source {
		return hookSource{s, &hooks{scan: func(req sdk.ScanRequest, sink sdk.ScanSink, next func(sdk.ScanRequest, sdk.ScanSink) error) error {
			if req.Fields&sdk.FieldTarget == 0 {
				return next(req, sink) // the marker's
			}
			return next(req, &afterListing{sink, req.Dirs, dir, do})
		}}}
	}
}

// TestRetypedInMidTurn puts something else in the place of what was just listed. Like
// what is gone then, that is no problem: the next pass tells.
func TestRetypedInMidTurn(t *testing.T) {
	both(t, func(t *testing.T, r *rig) {
		for _, c := range []struct{ name, before, after string }{
			{"a new directory is a file", "mkdir -p a/sub; echo 1 >a/f; echo 2 >a/sub/f", "rm -r a; echo file >a"},
			{"an old directory is a file", "echo more >>b/f", "rm -r b; echo file >b"},
			{"a directory is a link", "echo more >>c/f", "mv c c.was; ln -s c.was c"},
			{"a new file is a directory", "echo 1 >d", "rm d; mkdir d; echo 1 >d/f"},
			{"an old file is a directory", "echo more >>e", "rm e; mkdir e; echo 1 >e/f"},
			{"a file is a pipe", "echo more >>g", "rm g; mkfifo g"},
			{"a link is a directory", "ln -s x h", "rm h; mkdir h"},
		} {
			t.Run(c.name, func(t *testing.T) {
				r := r.inMemory()
				r.t = t
				r.sh("mkdir b c away; echo 1 >b/f; echo 1 >c/f; echo 1 >e; echo 1 >g; echo 1 >away/f")
				r.age()
				r.sync()
				r.sh(c.before + "; rm away/f")
				r.age()
				r.listed(sdk.Root, sync.OnceFunc(func() { r.sh(c.after) }))
				_ = r.run(mirror.Options{Turns: 1})
				if s := r.tracker.Snapshot(); s.ProblemCount > 0 {
					t.Errorf("problems: %+v", s.Problems)
				}
				if !r.exists("away/f") {
					t.Error("something was removed in a turn that did not see all")
				}
				r.wrapSource = nil
				r.sync()
				r.equal()
			})
		}
	})
}

// TestNeverWhatIsListed: what can be listed, and is never there when it is looked at, is
// a problem like any other, and nothing is removed meanwhile.
func TestNeverWhatIsListed(t *testing.T) {
	for _, other := range []*sdk.Error{
		{Kind: sdk.KindChanged, Op: "look at", Msg: "it is another"},
		{Kind: sdk.KindNotExist, Op: "look at"},
	} {
		t.Run(other.Kind.String(), func(t *testing.T) { neverWhatIsListed(t, other) })
	}
}

func neverWhatIsListed(t *testing.T, other *sdk.Error) {
	t.Helper()
	for what, h := range map[string]*hooks{
		"a file": {stat: func(paths []sdk.Path, _ sdk.Fields, next func() ([]sdk.Entry, error)) ([]sdk.Entry, error) {
			found, err := next()
			for i, p := range paths {
				if err == nil && p == "odd" {
					found[i] = sdk.Entry{Err: other}
				}
			}
			return found, err
		}},
		"a directory": {scan: func(req sdk.ScanRequest, sink sdk.ScanSink, next func(sdk.ScanRequest, sdk.ScanSink) error) error {
			if len(req.Dirs) == 1 && req.Dirs[0] == "odd" && req.Fields&sdk.FieldTarget != 0 {
				return sink.EndDir(0, other)
			}
			return next(req, sink)
		}},
	} {
		t.Run(what, func(t *testing.T) {
			r := newRigAt(t, memoryDir(t))
			r.streamed = true
			r.sh("echo 1 >f; echo 1 >g")
			r.age()
			r.sync()
			r.sh(map[string]string{"a file": "echo 1 >odd", "a directory": "mkdir odd"}[what] + "; rm g; echo 2 >f")
			r.wrapSource = func(s sdk.Source) sdk.Source { return hookSource{s, h} }
			err := r.run(mirror.Options{Once: true})
			s := r.tracker.Snapshot()
			if !errors.Is(err, mirror.ErrProblems) || !slices.ContainsFunc(s.Problems, func(p report.Problem) bool { return p.Path == "odd" && p.Side == sdk.Primary }) {
				t.Errorf("%v, problems: %+v", err, s.Problems)
			}
			if what == "a directory" && !r.exists("g") {
				t.Error("something was removed without all having been seen")
			}
			r.wrapSource = nil
			r.sync()
			r.equal()
		})
	}
}

// TestNotListedAndThere: a name that the primary does not list, and says is there, is
// left on the secondary, and the end of the run says why it is not in sync.
func TestNotListedAndThere(t *testing.T) {
	r := newRigAt(t, memoryDir(t))
	r.sh("echo 1 >f; echo 1 >g")
	r.age()
	r.sync()
	r.sh("echo 2 >f")
	hidden := hiding(sdk.Root, "g", math.MaxInt32)
	hidden.stat = nil
	r.wrapSource = func(s sdk.Source) sdk.Source { return hookSource{s, hidden} }
	err := r.run(mirror.Options{Once: true})
	s := r.tracker.Snapshot()
	if !errors.Is(err, mirror.ErrProblems) || !slices.ContainsFunc(s.Notices, func(n string) bool { return strings.Contains(n, "do not agree") }) {
		t.Errorf("%v, said %q, problems: %+v", err, s.Notices, s.Problems)
	}
	if !r.exists("g") {
		t.Error("what the primary says is there was removed")
	}
}
