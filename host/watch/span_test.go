package watch

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/localfs"
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
