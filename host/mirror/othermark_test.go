package mirror_test

import (
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/gsyncd/gsyncd-host/host/crawl"
	"github.com/gsyncd/gsyncd-host/host/mirror"
	"github.com/gsyncd/gsyncd-host/sdk"
)

// exchange swaps two entries of the primary.
func (r *rig) exchange(a, b string) {
	r.t.Helper()
	err := unix.Renameat2(unix.AT_FDCWD, filepath.Join(r.primary, a), unix.AT_FDCWD, filepath.Join(r.primary, b), unix.RENAME_EXCHANGE)
	if err != nil {
		r.t.Fatal(err)
	}
}

// swapSeen lets a turn see a swap that its pass did not, so that each directory is
// brought into the other's, and ends it before any mark is written. The secondary's
// directories are changed by then, and carry marks of the others.
func (r *rig) swapSeen(a, b string) {
	r.t.Helper()
	swapped := false
	r.wrapSource = func(s sdk.Source) sdk.Source {
		return hookSource{s, &hooks{scan: func(req sdk.ScanRequest, sink sdk.ScanSink, next func(sdk.ScanRequest, sdk.ScanSink) error) error {
			// What the crawl asks for, and the pass does not.
			if !swapped && req.Fields&sdk.FieldTarget != 0 {
				swapped = true
				r.exchange(a, b)
			}
			return next(req, sink)
		}}}
	}
	r.wrapTarget = func(t sdk.Target) sdk.Target {
		return hookTarget{t, &hooks{apply: func(ops []sdk.Op, next func([]sdk.Op) ([]sdk.OpResult, error)) ([]sdk.OpResult, error) {
			for i := range ops {
				if m, err := crawl.DecodeMark(ops[i].Mark); ops[i].Kind == sdk.OpSetMark && err == nil && !m.XTime.IsZero() {
					return nil, &sdk.Error{Kind: sdk.KindGone, Op: "apply", Msg: "the plugin ended"}
				}
			}
			return next(ops)
		}}}
	}
	if err := r.run(mirror.Options{Once: true}); sdk.KindOf(err) != sdk.KindGone || !swapped {
		r.t.Fatalf("run: %v, swapped %v", err, swapped)
	}
	r.wrapSource, r.wrapTarget = nil, nil
}

// TestPromise1OthersMark: a directory into which another one was brought half-way
// keeps no mark of the one that was there, which would hold again, for it and for
// those below, once that one is moved or comes back.
func TestPromise1OthersMark(t *testing.T) {
	for _, back := range []bool{false, true} {
		r := newRig(t)
		r.sh(`mkdir -p a/sub/deep b/sub/deep
			for d in a b; do echo $d >$d/sub/f; echo $d >$d/sub/deep/g; touch -d @1000000000 $d/sub/f $d/sub/deep/g $d/sub/deep $d/sub; done`)
		for _, d := range []string{"a", "b"} {
			if err := unix.Lsetxattr(filepath.Join(r.primary, d, "sub"), "user.of", []byte(d), 0); err != nil {
				t.Fatal(err)
			}
		}
		r.age()
		r.sync()
		r.sh("echo >new")
		r.swapSeen("a", "b")
		if back {
			r.exchange("a", "b")
		}
		r.sync()
		r.equal()
	}
}

// TestPromise1HalfRemoved: a directory that was moved away under the crawl's feet
// and whose removal broke off half-way is not taken for whole when it is back.
func TestPromise1HalfRemoved(t *testing.T) {
	for name, instead := range map[string]string{"gone": "true", "in the way": "echo >a"} {
		t.Run(name, func(t *testing.T) { halfRemoved(t, instead) })
	}
}

func halfRemoved(t *testing.T, instead string) {
	t.Helper()
	r := newRig(t)
	r.sh(`mkdir -p a/sub; echo f >a/sub/f; echo g >a/sub/g; touch -d @1000000000 a/sub`)
	r.age()
	r.sync()
	r.sh("echo >new")
	away := filepath.Join(t.TempDir(), "a")
	moved := false
	r.wrapSource = func(s sdk.Source) sdk.Source {
		return hookSource{s, &hooks{scan: func(req sdk.ScanRequest, sink sdk.ScanSink, next func(sdk.ScanRequest, sdk.ScanSink) error) error {
			if !moved && req.Fields&sdk.FieldTarget != 0 {
				moved = true
				r.sh("mv a '" + away + "'; " + instead)
			}
			return next(req, sink)
		}}}
	}
	r.wrapTarget = func(t sdk.Target) sdk.Target {
		return hookTarget{t, &hooks{apply: func(ops []sdk.Op, next func([]sdk.Op) ([]sdk.OpResult, error)) ([]sdk.OpResult, error) {
			for i := range ops {
				if ops[i].Kind == sdk.OpRemoveTree {
					r.sh("rm $S/a/sub/f") // as far as it came
					return nil, &sdk.Error{Kind: sdk.KindGone, Op: "apply", Msg: "the plugin ended"}
				}
			}
			return next(ops)
		}}}
	}
	if err := r.run(mirror.Options{Once: true}); sdk.KindOf(err) != sdk.KindGone || !moved {
		t.Fatalf("run: %v, moved %v", err, moved)
	}
	r.wrapSource, r.wrapTarget = nil, nil
	r.sh("rm -f a; mv '" + away + "' a")
	r.sync()
	r.equal()
}
