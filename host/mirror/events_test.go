package mirror_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/gsyncd/gsyncd-host/host/marker"
	"github.com/gsyncd/gsyncd-host/host/mirror"
	"github.com/gsyncd/gsyncd-host/host/report"
	"github.com/gsyncd/gsyncd-host/host/watch"
	"github.com/gsyncd/gsyncd-host/sdk"
)

// TestEventStorm changes a primary at random while a mirror follows it by events,
// and ends that at any moment. No mark may claim what is not there; and where
// nothing changes any more, the mirror that runs makes the trees equal, by what
// events told alone.
func TestEventStorm(t *testing.T) {
	for _, c := range []struct {
		name, kind string
		make       func(t *testing.T) *rig
	}{
		{"fanotify", watch.Fanotify, inMemory},
		{"inotify", watch.Inotify, inMemory},
		{"fanotify/spread", watch.Fanotify, spread},
		{"inotify/spread", watch.Inotify, spread},
		{"fanotify/subvolume", watch.Fanotify, onSubvolume},
		{"btrfs", watch.Btrfs, onSubvolume},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.kind != watch.Inotify && os.Geteuid() != 0 {
				t.Skip("SKIPPED, NOT TESTED: " + c.kind + " needs root")
			}
			eventStorm(t, c.make(t), c.kind)
		})
	}
}

func inMemory(t *testing.T) *rig { return newRigAt(t, memoryDir(t)) }

// spread is a rig whose primary goes on in three other filesystems, and in a
// subvolume of one of them.
func spread(t *testing.T) *rig {
	t.Helper()
	asRoot(t)
	r := inMemory(t)
	r.cross = true
	for name, mkfs := range map[string][]string{
		"ext4": {"mkfs.ext4", "-q", "-F"}, "xfs": {"mkfs.xfs", "-q"}, "btrfs": {"mkfs.btrfs", "-q"},
	} {
		at := filepath.Join(r.primary, name)
		if err := os.Mkdir(at, 0o755); err != nil {
			t.Fatal(err)
		}
		loopMount(t, filepath.Join(memoryDir(t), "image"), at, 320<<20, "loop", mkfs...)
	}
	subvolume(t, filepath.Join(r.primary, "btrfs", "sub"))
	return r
}

// onSubvolume is a rig on a btrfs, whose primary is a subvolume.
func onSubvolume(t *testing.T) *rig {
	t.Helper()
	asRoot(t)
	base := t.TempDir()
	loopMount(t, filepath.Join(memoryDir(t), "image"), base, 320<<20, "loop", "mkfs.btrfs", "-q")
	subvolume(t, filepath.Join(base, "p"))
	return newRigAt(t, base)
}

func subvolume(t *testing.T, path string) {
	t.Helper()
	if out, err := exec.Command("btrfs", "subvolume", "create", path).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

// killedIndex gives the index of a mirror that runs, as it would be found were that
// killed just now. It is in its place after the mirror has ended.
func killedIndex(t *testing.T, r *rig) *marker.Marker {
	t.Helper()
	was := filepath.Join(r.state, "index")
	kept, tried := filepath.Join(t.TempDir(), "index"), filepath.Join(t.TempDir(), "index")
	if err := errors.Join(os.CopyFS(kept, os.DirFS(was)), os.CopyFS(tried, os.DirFS(was))); err != nil {
		t.Fatal(err)
	}
	r.closed = func() {
		r.closed = nil
		if err := errors.Join(os.RemoveAll(was), os.CopyFS(was, os.DirFS(kept))); err != nil {
			t.Error(err)
		}
	}
	index, err := marker.Open(tried, marker.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return index
}

// startCounter counts the first looks of markers, and those among them that were
// at everything, and the points that hints had.
type startCounter struct {
	all, swept int
	points     atomic.Int64
}

func (c *startCounter) of(m *marker.Marker) mirror.Marker { return &startMarker{Marker: m, c: c} }

type startMarker struct {
	mirror.Marker
	c      *startCounter
	looked bool
}

func (m *startMarker) Refresh(ctx context.Context, src sdk.Source, hint marker.Hint) (marker.Pass, error) {
	if hint.Until != "" {
		m.c.points.Add(1)
	}
	p, err := m.Marker.Refresh(ctx, src, hint)
	if !m.looked && err == nil {
		m.c.all++
		if p.Swept {
			m.c.swept++
		}
	}
	m.looked = true
	return p, err
}

// eventStorm lets a rig go through a storm.
func eventStorm(t *testing.T, r *rig, kind string) {
	t.Helper()
	seed := *model.seed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("replay with -seed=%d", seed)
	rng := rand.New(rand.NewPCG(seed, 5))
	r.log, r.events = quietLog(), kind
	r.retry = mirror.Retry{Min: time.Millisecond, Max: 20 * time.Millisecond}
	w := newWorld(r.primary, rng)
	w.write(keepName, []byte("x"))
	r.ended = func(index *marker.Marker, src sdk.Source) {
		if kind == watch.Btrfs {
			// The next start is to begin where this one was killed.
			index = killedIndex(t, r)
			defer func() { _ = index.Close() }()
		}
		if _, err := index.Refresh(context.Background(), src, marker.Hint{All: true}); err != nil {
			t.Errorf("look at the primary: %v", err)
			return
		}
		r.honest(index, src)
	}
	starts := &startCounter{}
	r.wrapMarker = starts.of
	defer func() {
		t.Logf("%d starts, %d of them with a look at everything", starts.all, starts.swept)
		if kind == watch.Btrfs && !t.Failed() && starts.all > 2 && starts.swept > (starts.all+1)/2 {
			t.Errorf("%d of %d starts looked at everything", starts.swept, starts.all)
		}
	}()
	for round := 0; round < *model.steps && !t.Failed(); round++ {
		stormRound(t, r, w, round%2 == 1)
	}
	if t.Failed() {
		for _, line := range w.log[max(0, len(w.log)-200):] {
			t.Log(line)
		}
	}
}

// TestEventStormOfUser is such storms for a user without rights, on each kind of
// filesystem.
func TestEventStormOfUser(t *testing.T) {
	u := newUser(t)
	for _, kind := range []string{"memory", "ext4", "xfs", "btrfs"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			var at string
			if kind == "memory" {
				at = memoryDir(t)
			} else {
				at = disk(t, kind)
			}
			v := user{t, u.base}
			v.own(at)
			v.run("TestEventStormChild", at)
		})
	}
}

// TestEventStormChild has its storm in a directory that it is told.
func TestEventStormChild(t *testing.T) {
	at := child(t)
	if at == "" {
		at = memoryDir(t)
	}
	eventStorm(t, newRigAt(t, at), watch.Inotify)
}

// TestSweepFindsWhatRaisedNoEvent stores through a mapping that stays: the file has
// another change time, of which nobody tells.
func TestSweepFindsWhatRaisedNoEvent(t *testing.T) {
	for _, sweep := range []time.Duration{0, 200 * time.Millisecond} {
		t.Run(fmt.Sprint(sweep), func(t *testing.T) {
			r := newRig(t)
			r.events, r.sweep = watch.Inotify, sweep
			r.write("d/f", "some data")
			f, err := os.OpenFile(filepath.Join(r.primary, "d/f"), os.O_RDWR, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			m, err := unix.Mmap(int(f.Fd()), 0, 9, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = unix.Munmap(m) }()
			if err := f.Sync(); err != nil { // or the store would move no time
				t.Fatal(err)
			}
			r.age()
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			end := make(chan error, 1)
			go func() { end <- r.runContext(ctx, mirror.Options{}) }()
			defer func() {
				cancel()
				<-end
			}()
			there := func() string {
				data, _ := os.ReadFile(filepath.Join(r.secondary, "d/f"))
				return string(data)
			}
			r.await(ctx, func(s report.Snapshot) bool { return s.State == report.InSync && there() == "some data" })
			m[0] = 'S'
			if sweep == 0 {
				// Nothing tells of it, or the other half of this test would prove nothing.
				timer := time.NewTimer(500 * time.Millisecond)
				defer timer.Stop()
				<-timer.C
				if got := there(); got != "some data" {
					t.Errorf("%q came without an event and without a sweep", got)
				}
				return
			}
			r.await(ctx, func(report.Snapshot) bool { return there() == "Some data" })
		})
	}
}

// stormRound lets a mirror run while the primary changes, and ends it in the
// middle of that or when the trees are equal.
func stormRound(t *testing.T, r *rig, w *world, cut bool) {
	t.Helper()
	change := func() {
		tick := time.NewTicker(2 * time.Millisecond)
		defer tick.Stop()
		for range 10 + w.rng.IntN(40) {
			w.step()
			if w.rng.IntN(3) == 0 {
				<-tick.C
			}
		}
	}
	if !cut {
		r.untilEqual(change)
		return
	}
	_, end := r.start()
	defer func() { _ = end() }()
	change()
}

// unequal tells in what the trees of a mirror that runs differ; "" is nothing.
func unequal(r *rig) string {
	p, err := trySurvey(r.primary)
	if err != nil {
		return err.Error()
	}
	s, err := trySurvey(r.secondary)
	if err != nil {
		return err.Error()
	}
	if pairs := wrongLinks(p, s); len(pairs) > 0 {
		return fmt.Sprintf("%q are one file on one side only", pairs)
	}
	if len(s.own) > 0 {
		return fmt.Sprintf("%q are still there", s.own)
	}
	for path, what := range differences(p, s) {
		return fmt.Sprintf("%q differs: %s", path, what)
	}
	return ""
}
