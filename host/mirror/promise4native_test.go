package mirror_test

import (
	"errors"
	"sync/atomic"
	"testing"

	"github.com/gsyncd/gsyncd-host/host/mirror"
	"github.com/gsyncd/gsyncd-host/sdk"
)

// hiding leaves a file out of listings of a directory, as a volume of which a
// brick is dead does, n times.
func hiding(dir sdk.Path, name string, n int32) *hooks {
	var left atomic.Int32
	left.Store(n)
	return &hooks{
		scan: func(req sdk.ScanRequest, sink sdk.ScanSink, next func(sdk.ScanRequest, sdk.ScanSink) error) error {
			return next(req, &omitting{ScanSink: sink, dirs: req.Dirs, dir: dir, name: name, left: &left})
		},
		stat: func(paths []sdk.Path, _ sdk.Fields, next func() ([]sdk.Entry, error)) ([]sdk.Entry, error) {
			out, err := next()
			for i, p := range paths {
				if p == dir.Join(name) && err == nil {
					out[i] = sdk.Entry{Name: name, Err: &sdk.Error{Kind: sdk.KindNotExist, Op: "stat", Path: p}}
				}
			}
			return out, err
		},
	}
}

type omitting struct {
	sdk.ScanSink
	dirs []sdk.Path
	dir  sdk.Path
	name string
	left *atomic.Int32
	hide bool
}

func (o *omitting) BeginDir(i int, self *sdk.Entry) error {
	o.hide = o.dirs[i] == o.dir && o.left.Add(-1) >= 0
	return o.ScanSink.BeginDir(i, self)
}

func (o *omitting) Entry(e *sdk.Entry) error {
	if o.hide && e.Name == o.name {
		return nil
	}
	return o.ScanSink.Entry(e)
}

// TestPromise4DeadBrick: names that one listing hides without a word are not
// removed, nor is anything else in that turn.
func TestPromise4DeadBrick(t *testing.T) {
	for n := int32(1); n <= 3; n++ {
		v := newVolume(newRig(t))
		v.sh(nativeTree + "; touch d/e/other")
		v.sync()
		v.sh("touch d/e; rm g/4")
		inner := v.wrapSource
		v.aroundSource(hiding("d/e", "2", n)) // the pass, the turn, a second turn
		var early atomic.Bool
		v.aroundTarget(&hooks{apply: func(ops []sdk.Op, next func([]sdk.Op) ([]sdk.OpResult, error)) ([]sdk.OpResult, error) {
			for i := range ops {
				if ops[i].Kind == sdk.OpRemove && ops[i].Path == "d/e/2" {
					early.Store(true)
				}
			}
			return next(ops)
		}})
		_ = v.run(mirror.Options{Once: true})
		if n != 3 && (early.Load() || !v.exists("d/e/2")) {
			t.Errorf("hidden %d times: d/e/2 was removed", n)
		}
		v.wrapSource = inner
		v.sh("touch d/e")
		v.sync()
		v.equal()
	}
}

// TestPromise4SecondListingFails: nothing is removed if the second look does not
// succeed, and the problem says where.
func TestPromise4SecondListingFails(t *testing.T) {
	v := newVolume(newRig(t))
	v.log = quietLog()
	v.sh(nativeTree + "; touch d/e/other")
	v.sync()
	v.sh("rm d/e/2 g/4")
	inner := v.wrapSource
	var crawled atomic.Bool // since the pass
	v.aroundSource(&hooks{beacon: func(next func() (sdk.Beacon, error)) (sdk.Beacon, error) {
		crawled.Store(false)
		return next()
	}, scan: func(req sdk.ScanRequest, sink sdk.ScanSink, next func(sdk.ScanRequest, sdk.ScanSink) error) error {
		for i, d := range req.Dirs {
			crawled.CompareAndSwap(false, d == "d/e" && req.Fields&sdk.FieldTarget != 0)
			if d == "d/e" && req.Fields == sdk.FieldNative && crawled.Load() {
				return next(req, &shortScan{ScanSink: sink, at: i, keep: 9})
			}
		}
		return next(req, sink)
	}})
	if err := v.run(mirror.Options{Once: true}); !errors.Is(err, mirror.ErrProblems) {
		t.Fatalf("run: %v", err)
	}
	if s := v.tracker.Snapshot(); len(s.Problems) != 1 || s.Problems[0].Path != "d/e" || s.Problems[0].Side != sdk.Primary {
		t.Errorf("problems: %+v", s.Problems)
	}
	if !v.exists("d/e/2") || !v.exists("g/4") {
		t.Error("something was removed")
	}
	v.wrapSource = inner
	v.sync()
	v.equal()
}

// An emptied primary empties nothing, however often it is looked at.
func TestPromise4EmptiedVolume(t *testing.T) {
	v := newVolume(newRig(t))
	v.sh(nativeTree)
	v.age()
	v.sync()
	v.sh("rm -rf *")
	v.nativeOf(sdk.Root, nil) // marked by now
	v.age()
	for range 3 {
		if err := v.run(mirror.Options{Turns: 1}); !errors.Is(err, mirror.ErrProblems) {
			t.Fatalf("run: %v, want problems", err)
		}
		if !v.exists("d/e/2") {
			t.Fatal("an emptied primary emptied the secondary")
		}
	}
	v.adopt = true
	v.sync()
	v.equal()
}
