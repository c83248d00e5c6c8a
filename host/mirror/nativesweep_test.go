package mirror_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pkg/xattr"

	"github.com/gsyncd/gsyncd-host/host/mirror"
	"github.com/gsyncd/gsyncd-host/sdk"
)

// TestSweepBringsWhatClassicDoesNot: hard links, times of directories, attributes.
func TestSweepBringsWhatClassicDoesNot(t *testing.T) {
	v := newVolume(newRig(t))
	v.sh(nativeTree + "; mkfifo d/fifo; ln d/1 g/link")
	if err := xattr.Set(filepath.Join(v.primary, "d/e/2"), "user.k", []byte("v")); err != nil {
		t.Skipf("SKIPPED, NOT TESTED: no extended attributes here: %v", err)
	}
	v.sh(`for f in d/1 d/e/2 d/f/3 g/4 g/link 5; do mkdir -p $S/$(dirname $f); cp --preserve=mode,ownership,timestamps $f $S/$f; done; touch -d @1 $S/d`)
	v.classic()
	v.sweep = 24 * time.Hour
	if s := v.sync(); s.Done.Visited != 0 {
		t.Fatalf("done %+v", s.Done)
	}
	v.later(25 * time.Hour)
	if s := v.sync(); s.Done.Bytes > 4 { // d/1 goes again, as one file with two names
		t.Errorf("done %+v", s.Done)
	}
	v.equal()
	v.stands(".", "d", "d/e", "d/f", "g")
}

func TestSweepHealsAHole(t *testing.T) {
	v := newVolume(newRig(t))
	v.hidden = func(rel string) bool { return rel == "d/e/2" }
	v.sweep = 24 * time.Hour
	v.sh(nativeTree)
	v.sync()
	v.sh("echo more >>d/e/2")
	v.sync()
	if old, err := os.ReadFile(filepath.Join(v.secondary, "d/e/2")); err != nil || !bytes.Equal(old, []byte("d/e/2\n")) {
		t.Fatalf("found without a sweep: %q, %v", old, err)
	}
	swept := v.session.Swept
	v.later(25 * time.Hour)
	v.sync()
	v.equal()
	if v.session.Swept < swept+int64(25*time.Hour/time.Second) {
		t.Errorf("swept at %d, then at %d", swept, v.session.Swept)
	}
	clear(v.setAt)
	if s := v.sync(); s.Done.Visited != 0 {
		t.Errorf("done %+v, want no other sweep", s.Done)
	}
}

// TestFullLooksAtEverything: --full does not go by native xtimes.
func TestFullLooksAtEverything(t *testing.T) {
	v := newVolume(newRig(t))
	v.hidden = func(rel string) bool { return rel == "d/e/2" }
	v.sh(nativeTree)
	v.sync()
	v.sh("echo more >>d/e/2")
	if err := v.run(mirror.Options{Once: true, Full: true}); err != nil {
		t.Fatal(err)
	}
	v.equal()
}

func TestSweepHealsDrift(t *testing.T) {
	v := newVolume(newRig(t))
	v.sweep = 24 * time.Hour
	v.sh(nativeTree)
	v.sync()
	v.sh("echo drift >>$S/d/e/2; rm $S/d/f/3; touch $S/g/stranger; rm -r $S/5; mkdir $S/5")
	v.sync()
	if !v.exists("g/stranger") || v.exists("d/f/3") {
		t.Fatal("found without a sweep")
	}
	v.later(25 * time.Hour)
	clear(v.setAt)
	v.sync()
	v.equal()
	v.stands(".", "d", "d/e", "d/f", "g")
	v.later(50 * time.Hour)
	clear(v.setAt)
	if s := v.sync(); s.Done.Visited != 5 {
		t.Errorf("done %+v, want all five directories visited", s.Done)
	}
	if len(v.setAt) != 0 {
		t.Errorf("marked without need: %v", v.setAt)
	}
}

// TestSweepThatFailsLeavesAWay: what a sweep finds and cannot mend, the turns that
// follow find again.
func TestSweepThatFailsLeavesAWay(t *testing.T) {
	v := newVolume(newRig(t))
	v.sweep = 24 * time.Hour
	v.log = quietLog()
	v.sh(nativeTree)
	v.sync()
	v.age()
	v.later(25 * time.Hour)
	v.sync() // the marks now vouch for everything
	v.sh("rm $S/d/f/3")
	v.later(50 * time.Hour)
	var broken atomic.Bool
	broken.Store(true)
	v.aroundTarget(&hooks{apply: func(ops []sdk.Op, next func([]sdk.Op) ([]sdk.OpResult, error)) ([]sdk.OpResult, error) {
		out, err := next(ops)
		for i := range out {
			if broken.Load() && ops[i].Kind == sdk.OpRename && ops[i].Path == "d/f/3" {
				out[i].Err = &sdk.Error{Kind: sdk.KindPermission, Op: "rename", Path: ops[i].Path}
				_ = os.Remove(filepath.Join(v.secondary, "d/f/3"))
			}
		}
		return out, err
	}})
	if err := v.run(mirror.Options{Once: true}); !errors.Is(err, mirror.ErrProblems) {
		t.Fatalf("run: %v", err)
	}
	broken.Store(false)
	if s := v.sync(); s.Done.Visited == 0 || s.Done.Visited > 3 {
		t.Errorf("done %+v, want the way to d/f visited", s.Done)
	}
	v.equal()
}
