package watch

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/gsyncd/gsyncd-host/host/marker"
	"github.com/gsyncd/gsyncd-host/sdk/localfs"
	"github.com/gsyncd/gsyncd-host/sdk/localtree"
)

// choosing is a tree that is looked at as a chooser says.
type choosing struct {
	*rig
	c *Chooser

	mu   sync.Mutex
	said []Choice
}

// choose begins to look at the rig's tree, with pauses that are short.
func (r *rig) choose(kind string) *choosing {
	r.t.Helper()
	tree, err := localtree.OpenSource(r.tree, localtree.Options{CrossMounts: r.cross})
	if err != nil {
		r.t.Fatal(err)
	}
	src := fine{tree}
	index, err := marker.Open(r.state, marker.Options{})
	if err != nil {
		r.t.Fatal(err)
	}
	ch := &choosing{rig: r}
	ch.c, err = Open(r.t.Context(), Options{
		Kind: kind, Source: src, Index: index, Pace: Pace{Every: 20 * time.Millisecond}, Scan: marker.ScanPace{Interval: time.Millisecond, Share: 1},
		Chosen: func(c Choice) {
			ch.mu.Lock()
			defer ch.mu.Unlock()
			ch.said = append(ch.said, c)
		},
	})
	if err != nil {
		r.t.Fatal(err)
	}
	r.src, r.index = src, index
	r.t.Cleanup(func() {
		ch.c.Close()
		_ = src.Close()
	})
	index.Watched(ch.c.Watch)
	return ch
}

// look looks where the chooser says, once, and gives the hint.
func (ch *choosing) look() marker.Hint {
	ch.t.Helper()
	ctx, cancel := context.WithTimeout(ch.t.Context(), time.Minute)
	defer cancel()
	hint, err := ch.c.Next(ctx)
	if err != nil {
		ch.t.Fatal(err)
	}
	p, err := ch.index.Refresh(ch.t.Context(), ch.src, hint)
	ch.c.Done(p, 0)
	if err != nil {
		ch.t.Fatal(err)
	}
	return hint
}

// until looks until a kind is in use, which the last look at everything was for, and
// gives what was said on the way.
func (ch *choosing) until(kind string) []Choice {
	ch.t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); {
		hint := ch.look()
		ch.mu.Lock()
		said := slices.Clone(ch.said)
		ch.mu.Unlock()
		if hint.All && len(said) > 0 && said[len(said)-1].Kind == kind && ch.c.Events() == (kind != Scan) {
			ch.mu.Lock()
			ch.said = nil
			ch.mu.Unlock()
			return said
		}
	}
	ch.t.Fatalf("it does not come to %s: %v", kind, ch.said)
	return nil
}

// hears fails the test unless a change leads to a look at where it was alone.
func (ch *choosing) hears(name string) {
	ch.t.Helper()
	for p := (marker.Pass{Racy: true}); p.Racy; { // what is too young would be looked at in any case
		var err error
		if p, err = ch.index.Refresh(ch.t.Context(), ch.src, marker.Hint{}); err != nil {
			ch.t.Fatal(err)
		}
	}
	ch.write(name, time.Now().String())
	for end := time.Now().Add(time.Minute); time.Now().Before(end); {
		switch hint := ch.look(); {
		case hint.All:
			ch.t.Fatal("a look at everything")
		case len(hint.Dirs) > 0:
			return
		}
	}
	ch.t.Error("no look where something changed")
}

// TestComesBack mounts in the tree what fanotify or nothing can hear of, and unmounts it:
// what else works takes over, and then the best that there is.
func TestComesBack(t *testing.T) {
	needsRoot(t)
	for _, c := range []struct {
		name, kind, want string
		at               string
		mount            func(r *rig)
	}{
		{"a file", Scan, "is mounted and no directory", "in/file", func(r *rig) {
			if err := unix.Mount(r.path("../other"), r.path("in/file"), "", unix.MS_BIND, ""); err != nil {
				r.t.Fatal(err)
			}
		}},
		{"overlay", Inotify, "nfs_export=on", "in/dir", func(r *rig) {
			r.mount("in/dir", "overlay", fmt.Sprintf("lowerdir=%[1]s/lower,upperdir=%[1]s/upper,workdir=%[1]s/work", r.path("..")))
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, memory(t), Auto)
			r.cross = true
			for _, dir := range []string{"../lower", "../upper", "../work", "in/dir"} {
				if err := os.MkdirAll(r.path(dir), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			r.write("../other", "")
			r.write("in/file", "")
			ch := r.choose(Auto)
			if said := ch.until(Fanotify); len(said) != 1 {
				t.Errorf("%v", said)
			}
			for range 2 {
				c.mount(r)
				said := ch.until(c.kind)
				if first := said[0]; first.Kind != Scan || len(first.Refused) != 1 || !strings.Contains(first.Refused[0].Err.Error(), c.want) {
					t.Errorf("said of the failure: %v", said)
				}
				if last := said[len(said)-1]; len(last.Refused) == 0 || last.Refused[0].Kind != Fanotify || !strings.Contains(last.Refused[0].Err.Error(), c.want) {
					t.Errorf("said of what took over: %v", said)
				}
				if c.kind != Scan {
					ch.hears("in/f")
				}
				ch.c.bar.until = time.Now().Add(time.Hour) // as if it had failed often
				r.unmount(c.at)
				for end, all := time.Now().Add(5*ch.c.pace.Every), false; !all || time.Now().Before(end); {
					all = ch.look().All || all
				}
				if len(ch.said) > 0 {
					t.Errorf("said too early: %v", ch.said)
				}
				ch.c.bar = bar{} // as after an hour
				said = ch.until(Fanotify)
				if last := said[len(said)-1]; len(last.Refused) > 0 {
					t.Errorf("said of what came back: %v", said)
				}
				ch.hears("in/f")
			}
		})
	}
}

// TestFailsAgain lets watches run out again and again: that is tried less and less often,
// and in between the tree is scanned.
func TestFailsAgain(t *testing.T) {
	r := newRig(t, memory(t), Inotify)
	r.write("d/f", "some")
	ch := r.choose(Inotify)
	ch.until(Inotify)
	tries := 0
	ch.c.make = func(kind string, root *localfs.Root, o Options) (*Detector, error) {
		d, err := newDetector(kind, root, o)
		if err == nil {
			tries++
			b := &broken{ear: d.ear}
			b.cannotWatch.Store(true)
			d.ear = b
		}
		return d, err
	}
	ch.c.hears.fail(errEar)
	for range 50 {
		if hint := ch.look(); !hint.All {
			t.Fatalf("%+v", hint)
		}
	}
	if tries != 1 {
		t.Errorf("tried %d times in a moment", tries)
	}
	if !ch.c.bar.lifted(time.Now().Add(barLeast)) || ch.c.bar.lifted(time.Now().Add(barLeast/2)) {
		t.Errorf("the next try: %v", ch.c.bar)
	}
	ch.c.bar.until, ch.c.tried = time.Time{}, time.Time{} // as after a minute
	for range 50 {
		ch.look()
	}
	if tries != 2 || ch.c.bar.lifted(time.Now().Add(3*barLeast/2)) {
		t.Errorf("tried %d times, the next: %v", tries, ch.c.bar)
	}
	for i, want := range []string{Scan, Inotify, Scan, Inotify, Scan} {
		if i >= len(ch.said) || ch.said[i].Kind != want || want == Scan && !errors.Is(ch.said[i].Refused[0].Err, errEar) {
			t.Fatalf("said: %v", ch.said)
		}
	}
	ch.c.make, ch.c.bar, ch.c.tried = newDetector, bar{}, time.Time{}
	ch.until(Inotify)
	ch.hears("d/f")
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
		{name: "for few looks, where there is none", tree: memory(t), kind: Auto, once: true, want: Scan},
		{name: "for few looks, when others are wanted", tree: base, kind: Fanotify, once: true, want: Scan},
		{name: "elsewhere", tree: memory(t), kind: Auto, want: Fanotify},
		{name: "several filesystems", tree: base, kind: Btrfs, cross: true, refused: "cross_mounts"},
	} {
		t.Run(c.name, func(t *testing.T) {
			src, err := localtree.OpenSource(c.tree, localtree.Options{CrossMounts: c.cross})
			if err != nil {
				t.Fatal(err)
			}
			defer src.Close()
			var now Choice
			d, err := Open(t.Context(), Options{Kind: c.kind, Once: c.once, Source: src, Index: manyDirs{}, Chosen: func(c Choice) { now = c }})
			if err == nil {
				d.Close()
			}
			if now.Kind != c.want || (err != nil) != (c.refused != "") || len(now.Refused) > 0 {
				t.Errorf("%+v, error %v", now, err)
			}
			if err != nil && !strings.Contains(err.Error(), c.refused) {
				t.Error(err)
			}
		})
	}
}
