package watch

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/gsyncd/gsyncd-host/sdk/localtree"
)

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
			now := r.choice()
			if now.Kind != Inotify || len(now.Refused) != 1 || !strings.Contains(now.Refused[0].Err.Error(), c.want) {
				t.Fatalf("%v", now)
			}
			r.write("b/d/f", "some")
			r.open()
			r.follow()
			r.noticed("write", false, func() error { return os.WriteFile(r.path("b/d/f"), []byte("other"), 0o644) })
		})
	}
}

// choice is what is chosen for the tree, which goes on where something is mounted.
func (r *rig) choice() (now Choice) {
	r.t.Helper()
	src, err := localtree.OpenSource(r.tree, localtree.Options{CrossMounts: true})
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { src.Close() })
	c, err := Open(r.t.Context(), Options{Kind: Auto, Source: src, Index: &oneFile{}, Chosen: func(c Choice) { now = c }})
	if err != nil {
		r.t.Fatal(err)
	}
	c.Close()
	return now
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
				now := r.choice()
				if now.Kind != Scan || len(now.Refused) != 2 {
					t.Fatalf("%v", now)
				}
				for _, no := range now.Refused {
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
	// A mount anywhere on the machine has the table read, maybe before this look.
	switch hint, err := r.d.Next(t.Context()); {
	case err == nil:
		r.look(hint)
	case !errors.Is(err, errDeaf):
		t.Fatal(err)
	}
	select {
	case err := <-r.deaf:
		if want := "show the same directories"; !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	default:
		t.Error("it was not noticed")
	}
}
