package mirror_test

import (
	"fmt"
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

// powered is a filesystem in a file, whose power can be cut. The file lies on a btrfs:
// there a clone has what it held at one moment.
type powered struct {
	t          *testing.T
	image, dir string
	backs      int
}

func newPowered(t *testing.T, size int64, mkfs ...string) *powered {
	t.Helper()
	asRoot(t)
	outer := t.TempDir()
	loopMount(t, filepath.Join(memoryDir(t), "image"), outer, 1<<30, "loop", "mkfs.btrfs", "-q")
	d := &powered{t: t, dir: t.TempDir(), image: filepath.Join(outer, "image")}
	loopMount(t, d.image, d.dir, size, "loop", mkfs...)
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

// kept is where cut keeps what has reached the disk, and back has no more on it.
func (d *powered) kept() string { return filepath.Join(filepath.Dir(d.image), "cut") }

func (d *powered) cut() { d.run("cp", "--reflink=always", d.image, d.kept()) }

func (d *powered) back() {
	d.t.Helper()
	d.remount(func() {
		// In another file: the kernel may not be done with the loop device yet, and what
		// that has read of the old one would be taken for what is in the file.
		was := d.image
		d.backs++
		d.image = filepath.Join(filepath.Dir(was), fmt.Sprint("image", d.backs))
		d.run("cp", "--reflink=always", d.kept(), d.image)
		d.run("rm", was)
	})
}

// remount does something while it is not mounted. A command that another test begins
// has all open for a moment that this one has.
func (d *powered) remount(meanwhile func()) {
	d.t.Helper()
	err := unix.Unmount(d.dir, 0)
	for end := time.Now().Add(patience); err == unix.EBUSY && time.Now().Before(end); err = unix.Unmount(d.dir, 0) {
		<-time.After(time.Millisecond)
	}
	if err != nil {
		d.t.Fatal(err)
	}
	meanwhile()
	d.run("mount", "-o", "loop", d.image, d.dir)
}

// TestPrimaryLosesPower lets a primary fall back to what had reached its disk, while
// the index and the secondary have newer things, also such that no look has seen. The
// next start makes the trees equal without a sweep, and where the filesystem has a
// history it begins at a point. What keeps a file's size and time, and attributes, are
// left out: a compare does not look for these in old files. Nor is one made longer: its
// size and time may reach the disk and the data in it not.
func TestPrimaryLosesPower(t *testing.T) {
	t.Run("btrfs", func(t *testing.T) {
		primaryLosesPower(t, newPowered(t, 256<<20, "mkfs.btrfs", "-q"), watch.Btrfs)
	})
	t.Run("ext4", func(t *testing.T) {
		primaryLosesPower(t, newPowered(t, 64<<20, "mkfs.ext4", "-q", "-F"), watch.Fanotify)
	})
}

func primaryLosesPower(t *testing.T, d *powered, events string) {
	seed := *model.seed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("replay with -seed=%d", seed)
	r := newRigAt(t, memoryDir(t))
	r.primary = filepath.Join(d.dir, "p")
	r.log, r.events = quietLog(), events
	r.retry = mirror.Retry{Min: time.Millisecond, Max: 20 * time.Millisecond}
	starts := &startCounter{}
	r.wrapMarker = starts.of
	w := newWorld(r.primary, rand.New(rand.NewPCG(seed, 6)))
	if err := os.Mkdir(r.primary, 0o755); err != nil {
		t.Fatal(err)
	}
	w.write(keepName, []byte("x"))
	d.sync()
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
		r.untilEqual(change)
		if w.rng.IntN(2) == 0 {
			d.sync()
		}
		switch w.rng.IntN(3) {
		case 0: // nobody looks
			change()
			if w.rng.IntN(2) == 0 {
				d.sync()
			}
			d.cut()
			change()
			d.back()
			lost++
		case 1: // one turn brings what its look has not seen
			change()
			r.age() // what is too young a start looks at in any case
			l := &lateTurn{rig: r, d: d, after: change, tell: true}
			l.do(false)
			d.back()
			r.wrapMarker = starts.of
			lost++
			r.untilEqual(func() {}) // other changes might lead to what is stale
		default:
			// What is on disk when a point is taken stays there. A run that took one after
			// the cut is no example.
			var points int64
			r.untilEqual(func() {
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
	}
	r.untilEqual(func() {})
	t.Logf("%d starts, %d of them with a look at everything, %d after power was lost", starts.all, starts.swept, lost)
	if events == watch.Btrfs && starts.swept > starts.all/2 {
		t.Errorf("%d of %d starts looked at everything", starts.swept, starts.all)
	}
	if t.Failed() {
		t.Log(strings.Join(w.log, "\n"))
	}
}
