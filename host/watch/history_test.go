package watch

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/gsyncd/gsyncd-host/host/marker"
	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/localtree"
)

// beat has the filesystem asked at once, and looks where that leads. Where the disk is so
// slow that a pass overtakes it, it is asked again. An answer that is under way already is
// of before.
func (r *rig) beat() {
	r.t.Helper()
	for r.d.past.committing {
		r.follow()
	}
	for tries, again := 0, true; again && tries < 10; tries++ {
		for r.d.past.next, r.d.past.ended = (time.Time{}), (time.Time{}); r.d.past.ended.IsZero(); {
			r.follow()
		}
		r.d.mu.Lock()
		r.d.beat = time.Now()
		r.d.mu.Unlock()
		r.follow()
		r.d.mu.Lock()
		again = r.d.newer && !r.d.past.failed
		r.d.mu.Unlock()
	}
}

// resume begins once more, and fails the test unless that led to some directories
// at most, and to all that is to be found.
func (r *rig) resume(most int64) {
	r.t.Helper()
	p := r.open()
	if r.first.All || r.first.Since == "" || p.Swept || p.Dirs > most {
		r.t.Errorf("the first look: all %v, swept %v, %d directories, %d of them told", r.first.All, p.Swept, p.Dirs, len(r.first.Dirs))
	}
	r.follow()
	r.complete()
}

// newHistoryRig is a tree of some directories on a btrfs, with a point that was kept
// after all of it was looked at.
func newHistoryRig(t *testing.T, base string) *rig {
	t.Helper()
	r := newRig(t, base, Btrfs)
	for i := range 50 {
		r.write(fmt.Sprintf("d%d/f", i), "some")
		r.write(fmt.Sprintf("d%d/e/f", i), "some")
	}
	if err := os.Link(r.path("d0/f"), r.path("d1/linked")); err != nil {
		t.Fatal(err)
	}
	r.open()
	if !r.first.All || r.first.Until == "" {
		t.Fatalf("the first hint of all: %+v", r.first)
	}
	r.follow()
	r.beat()
	if got := r.index.Point(); got != r.d.past.given || got == r.first.Until {
		t.Fatal("no point was kept after the first look")
	}
	return r
}

// TestResume: a start from a point looks at what changed since, and at nothing else.
func TestResume(t *testing.T) {
	t.Parallel()
	r := newHistoryRig(t, btrfs(t))
	r.kill()
	r.resume(0)
	r.kill()
	r.write("d0/f", "other") // which is open to nobody's eyes but by its other name
	r.write("d2/new/f", "new")
	if err := errors.Join(os.Rename(r.path("d3"), r.path("d4/d3")), os.Remove(r.path("d5/e/f")), os.Chmod(r.path("d6/e"), 0o700),
		os.MkdirAll(r.tree+".in/a/b", 0o755), os.Rename(r.tree+".in", r.path("d7/in"))); err != nil {
		t.Fatal(err)
	}
	r.resume(14)
	// The same once more, ended before a new point is kept.
	r.kill()
	r.resume(14)
	r.beat()
	r.kill()
	r.resume(0)
}

// TestResumeMounted: of what is mounted in the tree, or is a subvolume of its own, a listing
// shows the owner and the mode. That they changed is found as well.
func TestResumeMounted(t *testing.T) {
	t.Parallel()
	r := newHistoryRig(t, btrfs(t))
	at := r.path("d1/e")
	if err := unix.Mount("tmpfs", at, "tmpfs", 0, "size=1m"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Unmount(at, unix.MNT_DETACH) })
	makeSubvolume(t, r.path("d2/nested"))
	for r.swept = 0; r.swept == 0; {
		r.follow()
	}
	r.beat()
	r.kill()
	r.resume(1)
	r.kill()
	if err := errors.Join(os.Chmod(at, 0o711), os.Chmod(r.path("d2/nested"), 0o711)); err != nil {
		t.Fatal(err)
	}
	r.resume(2)
}

// TestResumeAll: where the history is not that of the tree as it is known, all of it is
// looked at.
func TestResumeAll(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, why string
		do        func(t *testing.T, r *rig, base string) error
	}{
		{"a snapshot in the place of the subvolume", "another filesystem or subvolume", func(t *testing.T, r *rig, base string) error {
			snapshot := filepath.Join(base, "snapshot")
			makeSubvolume(t, snapshot, filepath.Join(base, "sub"))
			if err := errors.Join(os.WriteFile(r.path("d1/f"), []byte("lost"), 0o644), os.Mkdir(r.path("d1/lost"), 0o755)); err != nil {
				return err
			}
			r.open()
			r.follow()
			r.beat()
			r.kill()
			return errors.Join(os.Rename(filepath.Join(base, "sub"), filepath.Join(base, "away")), os.Rename(snapshot, filepath.Join(base, "sub")))
		}},
		{"something mounted", "mounted or unmounted", func(t *testing.T, r *rig, _ string) error {
			at := r.path("d1/e")
			if err := unix.Mount("tmpfs", at, "tmpfs", 0, "size=1m"); err != nil {
				return err
			}
			t.Cleanup(func() { _ = unix.Unmount(at, unix.MNT_DETACH) })
			return nil
		}},
		{"a point of another version", "another version", func(_ *testing.T, r *rig, _ string) error {
			r.open()
			r.look(marker.Hint{Until: "x"})
			if r.index.Point() != "x" {
				return errors.New("the point was not kept")
			}
			r.kill()
			return nil
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			base := btrfs(t)
			sub := filepath.Join(base, "sub")
			makeSubvolume(t, sub)
			r := newHistoryRig(t, sub)
			r.kill()
			if err := c.do(t, r, base); err != nil {
				t.Fatal(err)
			}
			r.said.Reset()
			if p := r.open(); !r.first.All || r.first.Since != "" || r.first.Until == "" || !p.Swept {
				t.Errorf("the first look: %+v, swept %v", r.first, p.Swept)
			}
			if !strings.Contains(r.said.String(), c.why) {
				t.Errorf("%q is not in %s", c.why, r.said.String())
			}
			r.follow()
			r.complete()
			r.beat()
			r.kill()
			r.resume(1) // in which something is mounted
		})
	}
}

// TestStealth lets happen what no event tells of. It is found when the filesystem is
// asked the next time.
func TestStealth(t *testing.T) {
	t.Parallel()
	r := newHistoryRig(t, btrfs(t))
	f, err := os.OpenFile(r.path("d8/f"), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	m, err := unix.Mmap(int(f.Fd()), 0, 4, unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Munmap(m) }()
	for i, write := range []func() error{
		func() error { m[0]++; return nil },
		func() error { m[0]++; return nil }, // to a page that was written out since
		func() error { return nativeWrite(f, []byte("others")) },
	} {
		r.follow()
		was, _ := r.index.XTime(r.idOf("d8"))
		if err := write(); err != nil {
			t.Fatal(err)
		}
		if looks, _ := r.follow(); looks > 0 {
			t.Errorf("%d: %d looks: this proves nothing", i, looks)
		}
		r.beat()
		if now, _ := r.index.XTime(r.idOf("d8")); now == was {
			t.Errorf("%d: nothing led to what was written", i)
		}
	}
	r.complete()
}

func (r *rig) idOf(name string) sdk.FileID {
	r.t.Helper()
	d, err := r.d.root.OpenPath(sdk.Path(name))
	if err != nil {
		r.t.Fatal(err)
	}
	defer d.Close()
	self, err := d.Stat()
	if err != nil {
		r.t.Fatal(err)
	}
	return self.ID
}

// TestMissed loses events: the filesystem is asked, and not all of the tree looked at.
func TestMissed(t *testing.T) {
	t.Parallel()
	r := newHistoryRig(t, btrfs(t))
	r.kill()
	deafen := &lossy{}
	r.wrap = func(e ear) ear { deafen.ear = e; return deafen }
	r.open()
	r.follow()
	deafen.lose.Store(true)
	r.write("d9/f", "other")
	r.write("d9/new/f", "new")
	swept := r.swept
	for tries := 0; tries < 100; tries++ {
		if _, all := r.follow(); all > 0 {
			t.Error("all of the tree was looked at")
		}
		if x, ok := r.index.XTime(r.idOf("d9/new")); ok && !x.IsZero() {
			break
		}
	}
	if r.swept != swept {
		t.Error("all of the tree was looked at")
	}
	r.complete()
}

// lossy is an ear that loses all that it hears.
type lossy struct {
	ear
	lose atomic.Bool
}

func (l *lossy) hear(tell func(sdk.FileID) bool) (bool, error) {
	if !l.lose.Load() {
		return l.ear.hear(tell)
	}
	_, err := l.ear.hear(func(sdk.FileID) bool { return false })
	return true, err
}

// TestSilent does without events: the filesystem is asked once a second, if it changed.
func TestSilent(t *testing.T) {
	t.Parallel()
	r := newHistoryRig(t, btrfs(t))
	r.kill()
	r.mute = true
	r.resume(0)
	commits := r.d.past.ended
	ctx, cancel := context.WithTimeout(t.Context(), 2500*time.Millisecond)
	if hint, err := r.d.Next(ctx); err == nil {
		t.Errorf("a hint while nothing changes: %+v", hint)
	}
	cancel()
	if r.d.past.ended != commits {
		t.Error("a commit while nothing changes")
	}
	if err := os.Chmod(r.path("d9/e"), 0o700); err != nil {
		t.Fatal(err)
	}
	ctx, cancel = context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	hint, err := r.d.Next(ctx)
	if err != nil || len(hint.Dirs) != 1 || hint.All {
		t.Fatalf("%+v, %v", hint, err)
	}
	r.look(hint)
	r.follow()
	r.complete()
}

// TestPowerCut sets the device back to what had reached it at some moment: what the index
// learned in between, and the disk forgot, must be found out again.
func TestPowerCut(t *testing.T) {
	t.Parallel()
	change := func(r *rig) {
		r.write("d1/f", "other")
		r.write("d2/new/deep/f", "new")
		r.write("d2/new/f", "new")
		if err := errors.Join(os.Rename(r.path("d3"), r.path("d4/d3")), os.Remove(r.path("d5/e/f")), os.RemoveAll(r.path("d6")),
			os.Rename(r.path("d7/e"), r.path("d7/moved")), os.Link(r.path("d8/f"), r.path("d9/e/link"))); err != nil {
			r.t.Fatal(err)
		}
	}
	overwrite := func(r *rig) { // without a new name or size: no transaction knows of it yet
		f, err := os.OpenFile(r.path("d10/f"), os.O_WRONLY, 0)
		if err != nil {
			r.t.Fatal(err)
		}
		if _, err := f.WriteString("diff"); err != nil {
			r.t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			r.t.Fatal(err)
		}
	}
	fsync := func(r *rig, name string) {
		f, err := os.OpenFile(r.path(name), os.O_RDWR, 0)
		if err != nil {
			r.t.Fatal(err)
		}
		if err := errors.Join(f.Sync(), f.Close()); err != nil {
			r.t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name string
		do   func(r *rig, cut func())
		all  bool
	}{
		{"what was looked at is lost", func(r *rig, cut func()) {
			cut()
			change(r)
			overwrite(r)
			r.follow()
		}, false},
		{"what was looked at before a point is there", func(r *rig, cut func()) {
			overwrite(r)
			r.follow()
			change(r)
			r.follow()
			r.beat()
			cut()
		}, false},
		{"a point is lost", func(r *rig, cut func()) {
			cut()
			for i := range 5 {
				change(r)
				r.follow()
				r.beat()
				r.write(fmt.Sprintf("d3/%d", i), "some")
				r.write("d6/again", "some")
				r.write("d7/e/again", "some")
				r.write("d5/e/f", "some")
				if err := errors.Join(os.RemoveAll(r.path("d4/d3")), os.RemoveAll(r.path("d7/moved")), os.Remove(r.path("d9/e/link"))); err != nil {
					r.t.Fatal(err)
				}
				r.follow()
				r.beat()
			}
		}, true},
		{"a file that was synced survives, and was looked at", func(r *rig, cut func()) {
			change(r)
			overwrite(r)
			fsync(r, "d2/new/deep/f")
			fsync(r, "d9/e/link")
			fsync(r, "d10/f")
			r.follow()
			cut()
		}, false},
		{"a file that was synced survives, and was not looked at", func(r *rig, cut func()) {
			r.kill()
			change(r)
			overwrite(r)
			fsync(r, "d2/new/deep/f")
			fsync(r, "d9/e/link")
			fsync(r, "d10/f")
			cut()
		}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			image := makeImage(t, 256<<20, "mkfs.btrfs", "-q")
			base, _ := mounted(t, image, "loop,noatime")
			r := newHistoryRig(t, base)
			c.do(r, func() {
				if err := run("cp", "--sparse=always", image, image+".cut"); err != nil {
					t.Fatal(err)
				}
			})
			r.kill()
			if err := errors.Join(unmount(base), run("cp", "--sparse=always", image+".cut", image), run("mount", "-o", "loop,noatime", image, base)); err != nil {
				t.Fatal(err)
			}
			p := r.open()
			if r.first.All != c.all || r.first.All != p.Swept {
				t.Errorf("the first look: all %v, swept %v, %d directories", r.first.All, p.Swept, p.Dirs)
			}
			r.follow()
			r.complete()
			r.beat()
			r.kill()
			r.resume(0)
		})
	}
}

// TestHistoryFails lets the filesystem not answer any more: with events it goes on by
// these, without them by scanning.
func TestHistoryFails(t *testing.T) {
	t.Parallel()
	r := newHistoryRig(t, btrfs(t))
	for _, r.mute = range []bool{false, true} {
		r.kill()
		r.resume(1)
		fd := r.d.past.volume.fd
		r.d.past.volume.fd = -1
		kept := r.index.Point()
		r.write("d9/f", fmt.Sprint(r.mute))
		if r.mute {
			r.d.past.next, r.d.past.ended = time.Time{}, time.Time{}
			hint, err := r.d.Next(t.Context())
			if err != nil || !hint.All || len(r.deaf) != 1 {
				t.Errorf("%+v, %v, and %d words of that", hint, err, len(r.deaf))
			}
			for p := r.look(hint); p.Racy; {
				p = r.look(marker.Hint{All: true})
			}
		} else {
			r.beat()
			if looks, all := r.follow(); all > 0 {
				t.Errorf("%d looks, %d of them at everything", looks, all)
			}
			if !strings.Contains(r.said.String(), "what raises no event is left to sweeps") {
				t.Errorf("it is not said: %s", &r.said)
			}
		}
		r.complete()
		r.d.past.volume.fd = fd
		if !r.mute {
			r.beat()
		}
		if r.index.Point() != kept {
			t.Error("a point was kept after the disk failed")
		}
	}
}

// TestHistoryChoice: a btrfs is asked for its history if nothing else is wanted, and what
// has none is no word worth.
func TestHistoryChoice(t *testing.T) {
	t.Parallel()
	base := btrfs(t)
	for _, c := range []struct {
		name, tree, kind string
		once, cross      bool
		want, refused    string
	}{
		{name: "auto", tree: base, kind: Auto, want: Btrfs},
		{name: "by name", tree: base, kind: Btrfs, want: Btrfs},
		{name: "for few looks", tree: base, kind: Auto, once: true, want: Btrfs},
		{name: "for few looks, where there is none", tree: memory(t), kind: Auto, once: true},
		{name: "for few looks, when others are wanted", tree: base, kind: Fanotify, once: true},
		{name: "elsewhere", tree: memory(t), kind: Auto, want: Fanotify},
		{name: "several filesystems", tree: base, kind: Btrfs, cross: true, refused: "cross_mounts"},
	} {
		t.Run(c.name, func(t *testing.T) {
			src, err := localtree.OpenSource(c.tree, localtree.Options{CrossMounts: c.cross})
			if err != nil {
				t.Fatal(err)
			}
			defer src.Close()
			d, refused, err := Open(t.Context(), Options{Kind: c.kind, Once: c.once, Source: src, Index: manyDirs{}})
			got := ""
			if d != nil {
				got = d.Name()
				d.Close()
			}
			if got != c.want || (err != nil) != (c.refused != "") || (len(refused) > 0) != (c.refused != "") {
				t.Errorf("%q, refused %v, error %v", got, refused, err)
			}
			if err != nil && !strings.Contains(err.Error(), c.refused) {
				t.Error(err)
			}
		})
	}
}

// TestOvertaken lets a pass come between a commit and the next hint: that may have
// listed what the commit does not have, so that there is no point.
func TestOvertaken(t *testing.T) {
	t.Parallel()
	for _, overtaken := range []bool{false, true} {
		r := newHistoryRig(t, btrfs(t))
		r.write("d3/f", "other")
		r.follow()
		for r.d.past.next = (time.Time{}); r.d.past.until == ""; {
			r.d.recall(t.Context())
		}
		if overtaken {
			r.look(marker.Hint{})
		}
		hint, err := r.d.Next(t.Context())
		if err != nil || (hint.Until == "") != overtaken {
			t.Errorf("overtaken %v: %+v, %v", overtaken, hint, err)
		}
	}
}

// TestMeanwhile lets a name go after a commit and before the filesystem's answer, which so
// does not lead to where a power cut would put it back: there is no point before another
// answer tells of that directory.
func TestMeanwhile(t *testing.T) {
	t.Parallel()
	base := btrfs(t)
	for name, do := range map[string]func(r *rig) error{
		"removed": func(r *rig) error { return os.Remove(r.path("d3/f")) },
		"renamed": func(r *rig) error { return os.Rename(r.path("d3/f"), r.path("d4/in")) },
	} {
		t.Run(name, func(t *testing.T) {
			sub := filepath.Join(base, name)
			makeSubvolume(t, sub)
			r := newHistoryRig(t, sub)
			r.kill()
			r.mute = true
			r.resume(0)
			r.beat()
			dir := r.idOf("d3")
			r.write("d3/f", "other")
			h := r.d.past
			for h.next = (time.Time{}); h.until == ""; { // which no hint takes before another pass
				r.d.recall(t.Context())
			}
			r.look(marker.Hint{})
			r.write("d3/f", "others")
			for h.next, h.ended = (time.Time{}), (time.Time{}); !h.committing; {
				r.d.recall(t.Context())
			}
			c := <-h.done
			if err := do(r); err != nil {
				t.Fatal(err)
			}
			h.done <- c
			if r.d.recall(t.Context()); h.until != "" && h.passes == r.d.passes {
				t.Error("the point before stays, as if it had been taken after the pass")
			}
			told := false
			for end := time.Now().Add(time.Minute); ; {
				hint, err := r.d.Next(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				told = told || slices.Contains(hint.Dirs, dir)
				if hint.Until != "" || time.Now().After(end) {
					if hint.Until == "" || !told {
						t.Errorf("a point %v, and the directory was told of %v", hint.Until != "", told)
					}
					return
				}
				r.look(hint)
			}
		})
	}
}
