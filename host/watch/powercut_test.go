package watch

import (
	"errors"
	"fmt"
	"os"
	"testing"
)

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
