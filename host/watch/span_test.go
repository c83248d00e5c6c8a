package watch

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/localfs"
	"github.com/gsyncd/gsyncd-host/sdk/localtree"
)

// spread makes a tree in memory that goes on in filesystems of their own: "ext4",
// "xfs", a btrfs subvolume as "sub" with one more in it, and "tmp".
func spread(t *testing.T, kind string) *rig {
	t.Helper()
	needsRoot(t)
	r := newRig(t, memory(t), kind)
	r.cross = true
	for _, m := range []struct{ name, file, options string }{
		{"ext4", makeImage(t, 64<<20, "mkfs.ext4", "-q", "-F"), "loop"},
		{"xfs", makeImage(t, 320<<20, "mkfs.xfs", "-q"), "loop"},
		{"sub", subvolumes(t), "loop,subvol=@"},
	} {
		r.mount(m.name, m.file, m.options)
	}
	r.mount("tmp", "tmpfs", "size=8m")
	return r
}

// mount mounts an image, "tmpfs" or "overlay" in the tree.
func (r *rig) mount(name, what, options string) {
	r.t.Helper()
	if err := os.MkdirAll(r.path(name), 0o755); err != nil {
		r.t.Fatal(err)
	}
	argv := []string{"mount", "-o", options, what, r.path(name)}
	if what == "tmpfs" || what == "overlay" {
		argv = slices.Insert(argv, 1, "-t", what)
	}
	command(r.t, argv...)
}

// unmount fails the test if something in the place stays open.
func (r *rig) unmount(name string) {
	r.t.Helper()
	if err := unmount(r.path(name)); err != nil {
		r.t.Fatalf("unmount %s: %v", name, err)
	}
}

// TestSpan lets things happen on each of the filesystems that a tree goes on in, and
// these come and go.
func TestSpan(t *testing.T) {
	for _, kind := range []string{Fanotify, Inotify} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			r := spread(t, kind)
			everywhere := []string{"", "ext4/", "xfs/", "sub/", "sub/other/", "tmp/"}
			for _, in := range everywhere {
				r.write(in+"d/f", "some")
				r.write(in+"d/e/f", "some")
			}
			r.open()
			r.follow()
			write := func(name, data string) func() error {
				return func() error { return os.WriteFile(r.path(name), []byte(data), 0o644) }
			}
			for _, in := range everywhere {
				r.noticed("write in "+in, false, write(in+"d/f", "other"))
				r.noticed("make in "+in, false, func() error { return os.MkdirAll(r.path(in+"d/new/er"), 0o755) })
				r.noticed("write in what is new in "+in, false, write(in+"d/new/er/f", "new"))
				r.noticed("write beside the border of "+in, false, write(in+"f", "new"))
			}
			for _, argv := range [][]string{
				{"subvolume", "create", r.path("sub/d/sub")},
				{"subvolume", "snapshot", r.path("sub/other"), r.path("sub/d/snapshot")},
			} {
				in := argv[len(argv)-1]
				r.noticed("a new subvolume", false, func() error { command(t, append([]string{"btrfs"}, argv...)...); return nil })
				r.noticed("make in it", false, func() error { return os.MkdirAll(in+"/fresh", 0o755) })
				r.noticed("write in it", false, func() error { return os.WriteFile(in+"/fresh/f", []byte("new"), 0o644) })
				r.noticed("write beside its border", false, func() error { return os.WriteFile(in+"/f", []byte("new"), 0o644) })
			}
			r.noticed("a subvolume is deleted", false, func() error { command(t, "btrfs", "subvolume", "delete", r.path("sub/d/sub")); return nil })
			r.noticed("a subvolume is moved", false, func() error { return os.Rename(r.path("sub/d/snapshot"), r.path("sub/snapshot")) })
			r.noticed("write in what was moved", false, write("sub/snapshot/fresh/f", "moved"))
			for _, name := range []string{"ext4", "tmp"} {
				r.noticed("unmount "+name, true, func() error { r.unmount(name); return nil })
				r.noticed("write below where it was", false, write(name+"/f", "under"))
			}
			ext4 := makeImage(t, 64<<20, "mkfs.ext4", "-q", "-F")
			r.noticed("mount", true, func() error { r.mount("tmp", ext4, "loop"); return nil })
			r.noticed("write in what was mounted", false, write("tmp/f", "new"))
			// The table of mounts has the very same lines afterwards.
			r.noticed("mount anew", true, func() error { r.unmount("tmp"); r.mount("tmp", ext4, "loop"); return nil })
			r.noticed("write in what was mounted anew", false, write("tmp/f", "newer"))

			if err := os.MkdirAll(r.path("a/b"), 0o755); err != nil {
				t.Fatal(err)
			}
			r.follow()
			r.noticed("mount deeper", true, func() error { r.mount("a/b", "tmpfs", "size=1m"); return nil })
			r.noticed("write deeper", false, write("a/b/f", "new"))
			away := r.tree + ".away"
			// No event tells that a mount moves with the directory above it.
			for _, step := range []struct{ from, to string }{{r.path("a"), r.path("c")}, {r.path("c"), away}, {away, r.path("d/c")}} {
				r.noticed("rename a directory above a mount", true, func() error { return os.Rename(step.from, step.to) })
				if in := step.to + "/b/"; step.to != away {
					r.noticed("write in what was moved", false, func() error { return os.WriteFile(in+"f", []byte(step.to), 0o644) })
					r.noticed("make in what was moved", false, func() error { return os.MkdirAll(in+step.to[len(r.tree):]+"/new", 0o755) })
				} else if err := os.WriteFile(in+"f", []byte("out"), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			beside := r.tree + ".beside"
			if err := os.MkdirAll(beside+"/d", 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.Mkdir(r.path("bind"), 0o755); err != nil {
				t.Fatal(err)
			}
			r.follow()
			r.noticed("bind a directory from beside the tree", true, func() error { return unix.Mount(beside, r.path("bind"), "", unix.MS_BIND, "") })
			r.noticed("write in it", false, write("bind/d/f", "here"))
			r.noticed("write in it from beside the tree", false, func() error { return os.WriteFile(beside+"/d/f", []byte("there"), 0o644) })
			for _, name := range []string{"bind", "d/c/b", "sub", "xfs", "tmp"} {
				r.noticed("unmount "+name, true, func() error { r.unmount(name); return nil })
			}
			select {
			case err := <-r.deaf:
				t.Error(err)
			default:
			}
		})
	}
}

// TestSpanSubvolumes is for a tree on one subvolume, in which another one of the same
// filesystem is mounted, as distributions mount their root and home directories.
func TestSpanSubvolumes(t *testing.T) {
	for _, kind := range []string{Fanotify, Inotify} {
		t.Run(kind, func(t *testing.T) {
			needsRoot(t)
			t.Parallel()
			file := subvolumes(t)
			dir, _ := mounted(t, file, "loop,subvol=@")
			r := newRig(t, dir, kind)
			r.cross = true
			r.mount("home", file, "loop,subvol=@/other")
			r.write("home/d/f", "some")
			r.open()
			r.follow()
			for _, name := range []string{"f", "home/f", "home/d/f"} {
				r.noticed("write "+name, false, func() error { return os.WriteFile(r.path(name), []byte("other"), 0o644) })
			}
			r.noticed("unmount", true, func() error { r.unmount("home"); return nil })
			r.noticed("mount", true, func() error { r.mount("home", file, "loop,subvol=@/other"); return nil })
			r.noticed("write in what was mounted", false, func() error { return os.WriteFile(r.path("home/d/f"), []byte("again"), 0o644) })
		})
	}
}

// TestMountedAnew: a filesystem that is mounted again is marked again, also where the
// table of mounts is as it was and handles mean what they meant.
func TestMountedAnew(t *testing.T) {
	needsRoot(t)
	r := newRig(t, memory(t), Fanotify)
	file := makeImage(t, 16<<20, "mkfs.ext4", "-q", "-F")
	var devices []string
	for range 2 {
		out, err := exec.Command("losetup", "-f", "--show", file).Output()
		if err != nil {
			t.Fatal(err)
		}
		device := strings.TrimSpace(string(out))
		t.Cleanup(func() { command(t, "losetup", "-d", device) })
		devices = append(devices, device)
	}
	t.Cleanup(func() { unmountBelow(t, r.tree) })
	root, err := localfs.Open(r.tree)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	mounts, err := openMounts(root)
	if err != nil {
		t.Fatal(err)
	}
	defer mounts.close()
	f, err := openFanotify(root, &oneFile{})
	if err != nil {
		t.Fatal(err)
	}
	defer f.close()
	d := &Detector{root: root, crosses: true, ear: f, mounts: mounts}
	for i, device := range []string{devices[0], devices[0], devices[1]} {
		r.mount("m", device, "rw")
		if _, err := mounts.changed(); err != nil {
			t.Fatal(err)
		}
		for _, want := range []bool{true, false} {
			if news, err := d.span(); news != want || err != nil {
				t.Fatalf("mount %d: news %v, %v", i, news, err)
			}
		}
		r.write("m/f", device)
		self, err := root.OpenPath("m")
		if err != nil {
			t.Fatal(err)
		}
		id, err := self.ID()
		if err != nil {
			t.Fatal(err)
		}
		self.Close()
		told := false
		if lost, err := f.hear(func(have sdk.FileID) bool { told = told || have == id; return true }); lost || err != nil || !told {
			t.Errorf("mount %d: told %v, lost %v, %v", i, told, lost, err)
		}
		r.unmount("m")
	}
}

// TestSameInodes: two filesystems in a tree use the same inode numbers, and what
// happens on one is not taken for the other's.
func TestSameInodes(t *testing.T) {
	for _, kind := range []string{Fanotify, Inotify} {
		t.Run(kind, func(t *testing.T) {
			needsRoot(t)
			r := newRig(t, memory(t), kind)
			r.cross = true
			var inodes []uint64
			for _, name := range []string{"a", "b"} {
				r.mount(name, makeImage(t, 64<<20, "mkfs.ext4", "-q", "-F"), "loop")
				r.write(name+"/d/f", "some")
				var st unix.Stat_t
				if err := unix.Stat(r.path(name+"/d"), &st); err != nil {
					t.Fatal(err)
				}
				inodes = append(inodes, st.Ino)
			}
			if inodes[0] != inodes[1] {
				t.Fatalf("inodes %v", inodes)
			}
			r.open()
			r.follow()
			for _, name := range []string{"a", "b"} {
				before := r.xtimes()
				r.noticed("write", false, func() error { return os.WriteFile(r.path(name+"/d/f"), []byte("other"), 0o644) })
				other := map[string]string{"a": "b", "b": "a"}[name]
				if now := r.xtimes(); now[name+"/d"] == before[name+"/d"] || now[other+"/d"] != before[other+"/d"] {
					t.Errorf("a change in %s is one in %s", name, other)
				}
			}
		})
	}
}

// TestInotifyForAll: what fanotify cannot hear of on one of the filesystems is said
// before anything is missed, and inotify hears of all.
func TestInotifyForAll(t *testing.T) {
	for _, c := range []struct {
		name, want string
		mount      func(r *rig)
	}{
		// An event does not tell them apart.
		{"one UUID", "b in the primary: its filesystem has the same UUID", func(r *rig) {
			image := makeImage(t, 16<<20, "mkfs.ext4", "-q", "-F")
			command(t, "cp", "--sparse=always", image, image+".twin")
			r.mount("a", image, "loop")
			r.mount("b", image+".twin", "loop")
		}},
		{"overlay", "b in the primary: the filesystem gives its directories no handles", func(r *rig) {
			for _, dir := range []string{"lower", "upper", "work"} {
				if err := os.Mkdir(r.path("../"+dir), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			r.mount("b", "overlay", fmt.Sprintf("lowerdir=%[1]s/lower,upperdir=%[1]s/upper,workdir=%[1]s/work", r.path("..")))
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			needsRoot(t)
			r := newRig(t, memory(t), Inotify)
			r.cross = true
			c.mount(r)
			d, refused := r.refused()
			if d == nil || d.Name() != Inotify || len(refused) != 1 || !strings.Contains(refused[0].Err.Error(), c.want) {
				t.Fatalf("%v", refused)
			}
			r.write("b/d/f", "some")
			r.open()
			r.follow()
			r.noticed("write", false, func() error { return os.WriteFile(r.path("b/d/f"), []byte("other"), 0o644) })
		})
	}
}

// refused opens a detector of the tree, which goes on where something is mounted.
func (r *rig) refused() (*Detector, []Refusal) {
	r.t.Helper()
	src, err := localtree.OpenSource(r.tree, localtree.Options{CrossMounts: true})
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { src.Close() })
	d, refused, err := Open(r.t.Context(), Options{Kind: Auto, Source: src, Index: &oneFile{}})
	if err != nil {
		r.t.Fatal(err)
	}
	if d != nil {
		r.t.Cleanup(d.Close)
	}
	return d, refused
}

// TestNotSpanned: what events cannot tell of makes the tree be scanned, from the
// beginning or once it is mounted, and nothing waits for a server that is silent.
func TestNotSpanned(t *testing.T) {
	needsRoot(t)
	for _, c := range []struct {
		name, want string
		mount      func(r *rig) error
	}{
		{"fuse", "in/fuse is in the primary: on a filesystem of type fuse", func(r *rig) error {
			fuse, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0)
			if err != nil {
				r.t.Skipf("SKIPPED, NOT TESTED: no FUSE here: %v", err)
			}
			r.t.Cleanup(func() { fuse.Close() })
			return unix.Mount("silent", r.path("in/fuse"), "fuse", 0, fmt.Sprintf("fd=%d,rootmode=40000,user_id=0,group_id=0", fuse.Fd()))
		}},
		{"the same twice", "show the same directories", func(r *rig) error { return unix.Mount(r.path("in"), r.path("in/twice"), "", unix.MS_BIND, "") }},
		{"a file", "in/file in the primary is mounted and no directory", func(r *rig) error {
			r.write("../other", "")
			return unix.Mount(r.path("../other"), r.path("in/file"), "", unix.MS_BIND, "")
		}},
	} {
		for _, late := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/late=%v", c.name, late), func(t *testing.T) {
				r := newRig(t, memory(t), Fanotify)
				r.cross = true
				r.mount("in", "tmpfs", "size=1m")
				for _, name := range []string{"fuse", "twice"} {
					if err := os.Mkdir(r.path("in/"+name), 0o755); err != nil {
						t.Fatal(err)
					}
				}
				r.write("in/file", "")
				if late {
					r.open()
					r.follow()
				}
				if err := c.mount(r); err != nil {
					t.Fatal(err)
				}
				if late {
					select {
					case err := <-r.deaf:
						if !strings.Contains(err.Error(), c.want) {
							t.Errorf("%v, want %q", err, c.want)
						}
					case <-time.After(time.Minute):
						t.Error("it was not told that the events fail")
					}
					return
				}
				d, refused := r.refused()
				if d != nil || len(refused) != 2 {
					t.Fatalf("refused: %v", refused)
				}
				for _, no := range refused {
					if !strings.Contains(no.Err.Error(), c.want) {
						t.Errorf("%v, want %q", no.Err, c.want)
					}
				}
			})
		}
	}
}

// TestShownTwiceLater renames the directory that a bind mount shows into the tree.
func TestShownTwiceLater(t *testing.T) {
	needsRoot(t)
	r := newRig(t, memory(t), Fanotify)
	r.cross = true
	r.write("../beside/d/f", "some")
	if err := os.Mkdir(r.path("bind"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount(r.path("../beside"), r.path("bind"), "", unix.MS_BIND, ""); err != nil {
		t.Fatal(err)
	}
	r.open()
	r.follow()
	if err := os.Rename(r.path("../beside"), r.path("again")); err != nil {
		t.Fatal(err)
	}
	hint, err := r.d.Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	r.look(hint)
	select {
	case err := <-r.deaf:
		if want := "show the same directories"; !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	default:
		t.Error("it was not noticed")
	}
}

// jostled is an ear that comes too late for what is mounted, so many times.
type jostled struct {
	ear
	late atomic.Int32
}

func (j *jostled) span(each visits) (bool, error) {
	if j.late.Add(-1) >= 0 {
		return false, errMoved
	}
	return j.ear.span(each)
}

// TestSpanRestless: mounts come and go faster than they can be opened, as when a
// thousand are unmounted one by one. That ends, and events are heard as before.
func TestSpanRestless(t *testing.T) {
	needsRoot(t)
	r := newRig(t, memory(t), Fanotify)
	r.cross = true
	r.mount("a", "tmpfs", "size=1m")
	var j *jostled
	r.wrap = func(e ear) ear { j = &jostled{ear: e}; return j }
	r.open()
	r.follow()
	j.late.Store(3 * spanTries)
	r.noticed("mount", true, func() error { r.mount("b", "tmpfs", "size=1m"); return nil })
	r.noticed("write in what was mounted", false, func() error { return os.WriteFile(r.path("b/f"), nil, 0o644) })
	select {
	case err := <-r.deaf:
		t.Error(err)
	default:
	}
	r.d.hearing.Lock()
	defer r.d.hearing.Unlock()
	j.late.Store(2 * spanTries)
	if news, err := r.d.span(); !news || err != nil {
		t.Errorf("news %v, %v", news, err)
	}
	r.d.restless = r.d.restless.Add(-2 * spanPatience)
	if _, err := r.d.span(); !errors.Is(err, errMoved) {
		t.Errorf("%v, and it never ends", err)
	}
}

// gated is an ear whose reader waits at a gate.
type gated struct {
	ear
	gate *sync.Mutex
}

func (g *gated) hear(tell func(sdk.FileID) bool) (bool, error) {
	g.gate.Lock()
	defer g.gate.Unlock()
	return g.ear.hear(tell)
}

// TestSpanOverflow lets more happen on two filesystems than the queue holds.
func TestSpanOverflow(t *testing.T) {
	const files = 9000 // on each; the queue holds 16,384 events
	t.Parallel()
	needsRoot(t)
	r := newRig(t, memory(t), Fanotify)
	r.cross = true
	for _, name := range []string{"a", "b"} {
		r.mount(name, "tmpfs", "size=8m")
		r.write(name+"/d/f", "some")
	}
	var gate sync.Mutex
	r.wrap = func(e ear) ear { return &gated{e, &gate} }
	r.open()
	r.follow()
	gate.Lock()
	for i := range files {
		for _, name := range []string{"a", "b"} {
			if err := os.WriteFile(r.path(fmt.Sprintf("%s/d/%d", name, i)), nil, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	r.write("b/d/f", "other") // behind what the queue holds
	r.write("b/late/f", "new")
	gate.Unlock()
	_, all := r.follow()
	for tries := 0; all == 0 && tries < 100; tries++ { // it is told right after the events
		_, all = r.follow()
	}
	if all == 0 {
		t.Error("no look at everything")
	}
	r.complete()
	for _, name := range []string{"a/d/f", "b/d/f", "b/late/f"} {
		r.noticed("write after an overflow", false, func() error { return os.WriteFile(r.path(name), []byte("again"), 0o644) })
	}
}

// TestSpanStorm is TestStorm in a tree that goes on in other filesystems, which move
// and go away with the directories that they are mounted in.
func TestSpanStorm(t *testing.T) {
	seed := *stormSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	for _, kind := range []string{Fanotify, Inotify} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			t.Logf("replay with -storm.seed=%d", seed)
			s := &storm{rig: spread(t, kind), rng: rand.New(rand.NewPCG(seed, 1))}
			s.mount("d0/d1", "tmpfs", "size=8m")
			s.run(*stormSteps)
		})
	}
}
