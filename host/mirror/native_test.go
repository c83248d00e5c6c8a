package mirror_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
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

// A first look at the secondary that failed tells nothing of what it holds.
func TestBindNeedsAListing(t *testing.T) {
	r := newRig(t)
	r.write("d/a", "a")
	fail := &sdk.Error{Kind: sdk.KindTransient, Op: "list", Errno: syscall.EIO}
	r.wrapTarget = func(t sdk.Target) sdk.Target {
		return hookTarget{t, &hooks{scan: func(_ sdk.ScanRequest, sink sdk.ScanSink, _ func(sdk.ScanRequest, sdk.ScanSink) error) error {
			return sink.EndDir(0, fail)
		}}}
	}
	if err := r.run(mirror.Options{Once: true}); !errors.Is(err, syscall.EIO) {
		t.Errorf("run: %v, want what failed", err)
	}
	if r.session != (mirror.Session{}) {
		t.Errorf("bound: %+v", r.session)
	}
	r.wrapTarget = nil
	r.sync()
	if !r.session.Adopted {
		t.Error("the empty secondary is not the mirror's")
	}
}
