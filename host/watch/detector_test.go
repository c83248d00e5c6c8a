package watch

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/gsyncd/gsyncd-host/host/marker"
	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/localtree"
)

// sleeper is an ear whose reader sleeps until it is woken.
type sleeper struct {
	ear
	wake chan struct{}
}

func (s *sleeper) hear(tell func(sdk.FileID) bool) (bool, error) {
	<-s.wake
	return s.ear.hear(tell)
}

// TestOverflow lets more happen than a queue holds: what was lost is made up for
// by one look at everything.
func TestOverflow(t *testing.T) {
	const files = 20_000 // the queue holds 16,384 events
	for _, kind := range []string{Fanotify, Inotify} {
		t.Run(kind, func(t *testing.T) {
			if kind == Fanotify {
				needsRoot(t)
			}
			r := newRig(t, memory(t), kind)
			r.write("d/f", "some")
			wake := make(chan struct{})
			r.wrap = func(e ear) ear { return &sleeper{e, wake} }
			r.open()
			for i := range files {
				if err := os.WriteFile(r.path(fmt.Sprintf("d/%d", i)), nil, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			r.write("d/f", "other") // behind what the queue holds
			r.write("late/f", "new")
			close(wake)
			looks, all := r.follow()
			for tries := 0; all == 0 && tries < 100; tries++ { // it is told right after the events
				more, once := r.follow()
				looks, all = looks+more, all+once
			}
			if all != 1 {
				t.Errorf("%d looks at everything, of %d, not one", all, looks)
			}
			r.complete()
			r.write("d/f", "again")
			if looks, all := r.follow(); looks == 0 || all > 0 {
				t.Errorf("after an overflow: %d looks, %d of them at everything", looks, all)
			}
			r.complete()
		})
	}
}

// TestMounts lets a filesystem come and go in the tree, of which no event tells.
func TestMounts(t *testing.T) {
	needsRoot(t)
	for _, kind := range []string{Fanotify, Inotify} {
		t.Run(kind, func(t *testing.T) {
			r := newRig(t, memory(t), kind)
			r.write("a b/d/f", "some")
			r.open()
			r.follow()
			at := r.path("a b/d")
			r.noticed("mount", true, func() error { return unix.Mount("tmpfs", at, "tmpfs", 0, "size=1m") })
			r.noticed("unmount", true, func() error { return unmount(at) })
		})
	}
}

// broken is an ear that fails.
type broken struct {
	ear
	cannotWatch, cannotHear atomic.Bool
}

var errEar = errors.New("the ear is off")

func (b *broken) hear(tell func(sdk.FileID) bool) (bool, error) {
	if b.cannotHear.Load() {
		return false, errEar
	}
	return b.ear.hear(tell)
}

func (b *broken) watch(ids []sdk.FileID, paths []sdk.Path) ([]sdk.FileID, error) {
	if b.cannotWatch.Load() {
		return nil, errEar
	}
	return b.ear.watch(ids, paths)
}

// TestDeaf lets the events fail while they are used: it is said once, and the
// tree is scanned from then on.
func TestDeaf(t *testing.T) {
	for name, turnOff := range map[string]func(*broken){
		"watch": func(b *broken) { b.cannotWatch.Store(true) },
		"hear":  func(b *broken) { b.cannotHear.Store(true) },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, memory(t), Inotify)
			r.write("d/f", "some")
			b := &broken{}
			r.wrap = func(e ear) ear { b.ear = e; return b }
			r.open()
			r.follow()
			turnOff(b)
			r.write("d/new/f", "other")
			for range 2 { // looks at everything from here on
				for {
					ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
					hint, err := r.d.Next(ctx)
					cancel()
					if err != nil {
						t.Fatal(err)
					}
					if r.look(hint); hint.All {
						break
					}
				}
			}
			select {
			case err := <-r.deaf:
				if !errors.Is(err, errEar) {
					t.Errorf("told %v", err)
				}
			default:
				t.Error("it was not told that the events failed")
			}
			r.complete()
		})
	}
}

// TestDiedUnder ends the tree itself while it is watched.
func TestDiedUnder(t *testing.T) {
	r := newRig(t, memory(t), Inotify)
	r.write("d/f", "some")
	r.open()
	r.follow()
	if err := os.RemoveAll(r.tree); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	hint, err := r.d.Next(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.index.Refresh(ctx, r.src, hint); err == nil {
		t.Error("a look at a tree that is gone ends well")
	}
}

// manyDirs is an index of a tree with more directories than can be watched.
type manyDirs struct{}

func (manyDirs) Has(sdk.FileID) bool { return true }
func (manyDirs) Dirs() int           { return 1 << 40 }
func (manyDirs) Linked() bool        { return false }
func (manyDirs) Point() marker.Point { return "" }

func (manyDirs) Holders(sdk.FileID) []sdk.FileID { return nil }

// TestRefusals: what is not to be had is told, each with its reason, and an error
// only for what was asked for by name.
func TestRefusals(t *testing.T) {
	tree := memory(t)
	open := func(o localtree.Options) sdk.Source {
		src, err := localtree.OpenSource(tree, o)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = src.Close() })
		return src
	}
	plain := open(localtree.Options{})
	for _, c := range []struct {
		name, kind string
		src        sdk.Source
		want       string
	}{
		{"remote", Auto, remote{plain}, "not a directory of this machine"},
		{"remote, by name", Fanotify, remote{plain}, `schedule { detector = "fanotify" }: the primary is not a directory of this machine`},
		{"served", Auto, elsewhere{plain, "/proc/self"}, "is not the directory that the driver has open"},
		{"a clock that is touched", Auto, touching{plain}, "each look would cause the next"},
		{"too many directories", Inotify, plain, "raise the sysctl fs.inotify.max_user_watches"},
		{"no history", Btrfs, plain, "which keeps no history; or leave detector out"},
		{"scan", Scan, plain, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			d, refused, err := Open(t.Context(), Options{Kind: c.kind, Source: c.src, Index: manyDirs{}})
			if d != nil {
				d.Close()
				t.Fatal("there is a detector")
			}
			if named := c.kind != Auto && c.kind != Scan; (err != nil) != named {
				t.Errorf("error %v", err)
			}
			text := fmt.Sprint(err)
			for _, r := range refused {
				text += "\n" + r.Err.Error()
			}
			if !strings.Contains(text, c.want) {
				t.Errorf("%q is not in %q", c.want, text)
			}
			if want := map[string]int{Auto: 2, Scan: 0}[c.kind]; c.kind == Auto && len(refused) != want {
				t.Errorf("refused: %v", refused)
			}
		})
	}
}

// remote is a source behind a network.
type remote struct{ sdk.Source }

func (remote) Info() sdk.Info { return sdk.Info{} }

// touching is a source whose clock is read by touching a file.
type touching struct{ sdk.Source }

func (t touching) Info() sdk.Info {
	i := t.Source.Info()
	i.Features &^= sdk.StillBeacon
	return i
}

// elsewhere is a source that names another directory than it has open.
type elsewhere struct {
	sdk.Source
	path string
}

func (e elsewhere) Info() sdk.Info { return sdk.Info{Endpoint: sdk.Endpoint{Path: e.path}} }

// TestForeign lets much happen on the filesystem beside the tree: that leads to
// no look at all.
func TestForeign(t *testing.T) {
	needsRoot(t)
	base := memory(t)
	r := newRig(t, base, Fanotify)
	r.write("d/f", "some")
	r.open()
	r.follow()
	for i := range 2000 {
		dir := filepath.Join(base, fmt.Sprintf("other%d", i%100))
		if err := errors.Join(os.MkdirAll(dir, 0o755), os.WriteFile(filepath.Join(dir, "f"), []byte("x"), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	if looks, _ := r.follow(); looks > 0 {
		t.Errorf("%d looks for what happens elsewhere", looks)
	}
	r.write("d/f", "other")
	if looks, _ := r.follow(); looks == 0 {
		t.Error("no look for what happens in the tree")
	}
	r.complete()
}
