package mirror_test

import (
	"context"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/gsyncd/gsyncd-host/host/mirror"
	"github.com/gsyncd/gsyncd-host/host/watch"
)

// powered is a btrfs in a file, whose power can be cut. The file lies on another one:
// there a clone has what it held at one moment.
type powered struct {
	t          *testing.T
	image, dir string
}

func newPowered(t *testing.T) *powered {
	t.Helper()
	asRoot(t)
	outer := t.TempDir()
	loopMount(t, filepath.Join(memoryDir(t), "image"), outer, 1<<30, "loop", "mkfs.btrfs", "-q")
	d := &powered{t: t, dir: t.TempDir(), image: filepath.Join(outer, "image")}
	loopMount(t, d.image, d.dir, 256<<20, "loop", "mkfs.btrfs", "-q")
	return d
}

func (d *powered) run(argv ...string) {
	d.t.Helper()
	if out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput(); err != nil {
		d.t.Fatalf("%q: %v: %s", argv, err, out)
	}
}

// sync brings all of it to the disk.
func (d *powered) sync() { d.run("sync", "-f", d.dir) }

// cut keeps what has reached the disk, and back has no more on it.
func (d *powered) cut() { d.run("cp", "--reflink=always", d.image, d.image+".cut") }

func (d *powered) back() {
	d.t.Helper()
	if err := unix.Unmount(d.dir, 0); err != nil {
		d.t.Fatal(err)
	}
	d.run("cp", "--reflink=always", d.image+".cut", d.image)
	d.run("mount", "-o", "loop", d.image, d.dir)
}

// TestPrimaryLosesPower lets a primary fall back to what had reached its disk, while
// the index and the secondary have newer things. The next start begins at a point, and
// makes the trees equal without a sweep. What keeps a file's size and time, and
// attributes, are left out: a compare does not look for these in old files. Nor is one
// made longer: its size and time may reach the disk and the data in it not.
func TestPrimaryLosesPower(t *testing.T) {
	seed := *model.seed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("replay with -seed=%d", seed)
	d := newPowered(t)
	r := newRigAt(t, memoryDir(t))
	r.primary = filepath.Join(d.dir, "p")
	r.log, r.events = quietLog(), watch.Btrfs
	r.retry = mirror.Retry{Min: time.Millisecond, Max: 20 * time.Millisecond}
	starts := &startCounter{}
	r.wrapMarker = starts.of
	w := newWorld(r.primary, rand.New(rand.NewPCG(seed, 6)))
	if err := os.Mkdir(r.primary, 0o755); err != nil {
		t.Fatal(err)
	}
	w.write(keepName, []byte("x"))
	create := func() { w.write(w.name(), w.bytes()) }
	ops := []func(){
		create, create, create, create, func() { w.do(os.Mkdir(w.full(w.name()), 0o755), "mkdir") }, w.move, w.move, w.swap, w.link,
		w.chmod, w.chown, w.symlink, w.special, w.retype, w.appendTo, w.replace, func() { w.remove(w.pick(w.all)) },
	}
	change := func() {
		for range 10 + w.rng.IntN(30) {
			w.look()
			ops[w.rng.IntN(len(ops))]()
		}
	}
	lost := 0
	for round := 0; round < *model.steps/2 && !t.Failed(); round++ {
		untilEqual(t, r, change)
		if w.rng.IntN(3) == 0 { // nobody looks
			change()
			if w.rng.IntN(2) == 0 {
				d.sync()
			}
			d.cut()
			change()
			d.back()
			lost++
			continue
		}
		// What is on disk when a point is taken stays there. A run that took one after the
		// cut is no example.
		var points int64
		untilEqual(t, r, func() {
			change()
			points = starts.points.Load()
			d.cut()
			change()
		})
		if points == starts.points.Load() {
			d.back()
			lost++
		}
	}
	untilEqual(t, r, func() {})
	t.Logf("%d starts, %d of them with a look at everything, %d after power was lost", starts.all, starts.swept, lost)
	if starts.swept > starts.all/2 {
		t.Errorf("%d of %d starts looked at everything", starts.swept, starts.all)
	}
	if t.Failed() {
		t.Log(strings.Join(w.log, "\n"))
	}
}

// untilEqual runs a mirror while something happens, and until the trees are equal.
func untilEqual(t *testing.T, r *rig, do func()) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	end := make(chan error, 1)
	go func() { end <- r.runContext(ctx, mirror.Options{}) }()
	defer func() {
		cancel()
		<-end
	}()
	do()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	last := unequal(r)
	for limit := time.Now().Add(patience); last != ""; last = unequal(r) {
		if time.Now().After(limit) {
			t.Errorf("%s after the last change: %s", patience, last)
			return
		}
		select {
		case <-tick.C:
		case err := <-end:
			t.Errorf("the mirror ended: %v", err)
			end <- err
			return
		}
	}
}
