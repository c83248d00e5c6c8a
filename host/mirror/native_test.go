package mirror_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pkg/xattr"

	"github.com/gsyncd/gsyncd-host/host/crawl"
	"github.com/gsyncd/gsyncd-host/host/mirror"
	"github.com/gsyncd/gsyncd-host/host/report"
	"github.com/gsyncd/gsyncd-host/sdk"
)

const nativeTree = "mkdir -p d/e d/f g; for n in d/1 d/e/2 d/f/3 g/4 5; do echo $n >$n; done"

// aroundTarget puts one more hook between the mirror and the secondary.
func (v *volume) aroundTarget(h *hooks) {
	inner := v.wrapTarget
	v.wrapTarget = func(t sdk.Target) sdk.Target { return hookTarget{inner(t), h} }
}

// aroundSource does so at the primary.
func (v *volume) aroundSource(h *hooks) {
	inner := v.wrapSource
	v.wrapSource = func(s sdk.Source) sdk.Source { return hookSource{inner(s), h} }
}

// stands checks that the secondary's directories carry the primary's native xtimes,
// or, where something was done without a new one, a hair less.
func (v *volume) stands(dirs ...sdk.Path) {
	v.t.Helper()
	for _, d := range dirs {
		got, want := v.carried[inode(v.t, filepath.Join(v.secondary, string(d)))], v.nativeOf(d, nil)
		late := (int64(want.Sec)-int64(got.Sec))*1e6 + int64(want.Usec) - int64(got.Usec)
		if late < 0 || late > 100 || want.IsZero() {
			v.t.Errorf("%s carries %s, and the primary stands at %s", d, got, want)
		}
	}
}

// forget takes away what the host knows, as when another machine takes over.
func (v *volume) forget() {
	v.session = mirror.Session{}
	v.state = v.t.TempDir()
	if err := os.Mkdir(filepath.Join(v.state, "index"), 0o755); err != nil {
		v.t.Fatal(err)
	}
}

// later lets a time pass by the mirror's clock.
func (v *volume) later(d time.Duration) { v.clock = func() time.Time { return time.Now().Add(d) } }

func TestNativeXTimesArePublished(t *testing.T) {
	v := newVolume(newRig(t))
	v.sh(nativeTree)
	v.age()
	v.sync()
	v.stands(".", "d", "d/e", "d/f", "g")
	clear(v.setAt)
	v.sh("echo more >>d/e/2")
	v.sync()
	v.stands(".", "d", "d/e", "d/f", "g")
	if v.setAt["d/f"]+v.setAt["g"] != 0 || v.setAt["d/e"] == 0 {
		t.Errorf("marked: %v", v.setAt)
	}
	if len(v.marks) == 0 || v.marks[0].Volume != volumeID || v.marks[0].Since != v.since || v.marks[0].Until.Sec < time.Now().Unix()+60 {
		t.Errorf("volume marks: %v", v.marks)
	}
}

// TestNativeXTimesAreNeverEarly: a directory gets a newer native xtime only when
// all of it is there, whatever fails on the way.
func TestNativeXTimesAreNeverEarly(t *testing.T) {
	v := newVolume(newRig(t))
	v.sh(nativeTree + "; ln d/1 g/link")
	v.log = quietLog()
	early := atomic.Bool{}
	var failAt, count atomic.Int64
	fault := func() bool { return count.Add(1) == failAt.Load() }
	v.aroundTarget(&hooks{
		apply: func(ops []sdk.Op, next func([]sdk.Op) ([]sdk.OpResult, error)) ([]sdk.OpResult, error) {
			if fault() {
				return nil, errors.New("injected")
			}
			for i := range ops {
				if ops[i].Kind != sdk.OpSetMark || ops[i].Native.IsZero() {
					continue
				}
				dir := filepath.Join(v.secondary, string(ops[i].Path))
				m, err := crawl.DecodeMark(ops[i].Mark)
				if err != nil || m.XTime.IsZero() {
					if was := v.carried[inode(t, dir)]; was != ops[i].Native {
						t.Errorf("%s: begun, with the native xtime %s after %s", ops[i].Path, ops[i].Native, was)
					}
					continue
				}
				a, b := describe(t, filepath.Join(v.primary, string(ops[i].Path))), describe(t, dir)
				if ops[i].Path != sdk.Root && !strings.Contains(a, "link") && a != b {
					t.Errorf("%s gets the native xtime %s and lacks:\n%s", ops[i].Path, ops[i].Native, diffLines(a, b))
					early.Store(true)
				}
			}
			return next(ops)
		},
		sync: func(next func() error) error {
			if fault() {
				return errors.New("injected")
			}
			return next()
		},
	})
	for failAt.Store(1); failAt.Load() < 40 && !early.Load(); failAt.Add(1) {
		v.sh("for n in d/1 d/e/2 g/4; do echo more >>$n; done; touch d/e/new; mv d/e/new d/f/new")
		for count.Store(0); ; {
			if v.run(mirror.Options{Once: true}) == nil {
				break
			}
		}
		v.stands(".", "d", "d/e", "d/f", "g")
		v.equal()
	}
}

func TestTakeOverFromClassic(t *testing.T) {
	v := newVolume(newRig(t))
	v.sh(nativeTree)
	v.sync()
	v.classic()
	v.forget()
	if s := v.sync(); s.Done.Visited != 0 || !v.session.Adopted {
		t.Fatalf("done %+v, session %+v", s.Done, v.session)
	}
	clear(v.setAt)
	v.sh("rm d/e/2; echo new >d/e/new")
	if s := v.sync(); s.Done.Files != 1 || s.Done.Deletes != 1 || v.setAt["d/f"]+v.setAt["g"] != 0 {
		t.Errorf("done %+v, marked %v, want no more than d/e visited", s.Done, v.setAt)
	}
	v.equal()
	v.stands(".", "d", "d/e")
}

// TestTakeOverLater: what classic gsyncd did not bring any more is brought, and
// nothing removed without a word, since nobody knows whose it is.
func TestTakeOverLater(t *testing.T) {
	v := newVolume(newRig(t))
	v.sh(nativeTree)
	v.sync()
	v.classic()
	v.forget()
	clear(v.setAt)
	v.sh("rm d/e/2; echo new >d/e/new")
	if err := v.run(mirror.Options{Once: true}); !errors.Is(err, mirror.ErrProblems) {
		t.Fatalf("run: %v", err)
	}
	if s := v.tracker.Snapshot(); s.Done.Files != 1 || !v.exists("d/e/2") {
		t.Errorf("done %+v", s.Done)
	}
	if v.setAt["d/f"] > 0 {
		t.Error("d/f was entered")
	}
	v.adopt = true
	v.sync()
	v.equal()
}

// TestOwnMarkDecides: an equal native xtime beside a mark of ours says nothing.
func TestOwnMarkDecides(t *testing.T) {
	v := newVolume(newRig(t))
	v.sh(nativeTree)
	v.sync()
	for _, dir := range []string{".", "d", "d/e"} {
		begun := crawl.Mark{}
		for _, space := range []string{"user.", "trusted."} {
			name := space + sdk.ReservedXattr + "test"
			if old, err := xattr.LGet(filepath.Join(v.secondary, dir), name); err == nil {
				was, err := crawl.DecodeMark(old)
				if err != nil {
					t.Fatal(err)
				}
				begun.Dir = was.Dir
				if err := xattr.LSet(filepath.Join(v.secondary, dir), name, begun.Encode()); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	v.sh("echo drift >>$S/d/e/2")
	v.sync()
	v.equal()
}

// TestVolumeMadeAnew: another volume under the same name ends the mirror, with
// words that fit.
func TestVolumeMadeAnew(t *testing.T) {
	v := newVolume(newRig(t))
	v.sh(nativeTree)
	v.log = quietLog()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	end := make(chan error, 1)
	go func() { end <- v.runContext(ctx, mirror.Options{}) }()
	v.await(ctx, func(s report.Snapshot) bool { return s.State == report.InSync })
	v.mu.Lock()
	v.id[0] = 0xff
	v.mu.Unlock()
	err := <-end
	var changed *mirror.ChangedError
	if !errors.As(err, &changed) || !strings.Contains(err.Error(), "it was the volume "+volumeID.String()+" and is the volume ff32") {
		t.Fatalf("ended with %v", err)
	}
	if err := v.run(mirror.Options{Once: true}); !errors.As(err, &changed) {
		t.Fatalf("begun anew: %v", err)
	}
}
