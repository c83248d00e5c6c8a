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
)

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

// unanswered has a commit end that nobody has asked about yet, where no events tell.
func (r *rig) unanswered() *history {
	r.t.Helper()
	r.kill()
	r.mute = true
	r.resume(0)
	h := r.d.past
	for h.committing {
		r.answers()
	}
	r.write("d9/f", "other")
	for h.next, h.ended = (time.Time{}), (time.Time{}); !h.committing; {
		r.d.recall(r.t.Context())
	}
	h.done <- <-h.done
	return h
}

// TestGivenUp lets the time of who waits for a hint be over while the filesystem is asked:
// who waits next has the answer.
func TestGivenUp(t *testing.T) {
	t.Parallel()
	r := newHistoryRig(t, btrfs(t))
	h := r.unanswered()
	over, cancel := context.WithCancel(t.Context())
	cancel()
	r.d.recall(over)
	h.next = time.Now().Add(time.Hour)
	if looks, all := r.follow(); looks == 0 || all > 0 {
		t.Errorf("%d looks, %d of them at everything", looks, all)
	}
	r.complete()
}

// TestLongLook has a commit end in the middle of a look that takes an hour: the rest
// after it is as long as the commit makes it.
func TestLongLook(t *testing.T) {
	t.Parallel()
	r := newHistoryRig(t, btrfs(t))
	h := r.unanswered()
	h.began = h.began.Add(-time.Hour)
	r.d.recall(t.Context())
	if rest := time.Until(h.next); rest > time.Hour {
		t.Errorf("the next commit is due in %v", rest)
	}
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
			if !errors.Is(err, errDeaf) || len(r.deaf) != 1 {
				t.Errorf("%+v, %v, and %d words of that", hint, err, len(r.deaf))
			}
			for p := r.look(marker.Hint{All: true}); p.Racy; {
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

// TestSearchFails lets a search of the filesystem fail, and the commit before it not: the
// next answer has all since the last one, and points are kept as before.
func TestSearchFails(t *testing.T) {
	t.Parallel()
	r := newHistoryRig(t, btrfs(t))
	v, kept := r.d.past.volume, r.index.Point()
	room := v.buf
	v.buf = room[:searchArgsSize] // into which nothing fits
	r.write("d9/f", "other")
	r.beat()
	if r.index.Point() != kept || !strings.Contains(r.said.String(), "left to sweeps") {
		t.Errorf("without an answer: %s", &r.said)
	}
	v.buf = room
	r.beat()
	if r.index.Point() == kept || !strings.Contains(r.said.String(), "tells what changed again") {
		t.Errorf("after it: %s", &r.said)
	}
	r.complete()
	r.kill()
	r.resume(1)
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
