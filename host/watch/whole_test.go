package watch

import (
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestSubvolume watches a btrfs of which only a subvolume is mounted. What happens
// in another one leads to no look, and in the end the filesystem can be unmounted and
// nothing holds it any more.
func TestSubvolume(t *testing.T) {
	needsRoot(t)
	file := subvolumes(t)
	dir, unmount := mounted(t, file, "loop,subvol=@")
	r := newRig(t, dir, Fanotify)
	r.write("d/f", "some")
	command(t, "btrfs", "subvolume", "create", r.path("nested"))
	r.open()
	r.follow()
	r.write("d/f", "other")
	if looks, all := r.follow(); looks == 0 || all > 0 {
		t.Errorf("%d looks, %d of them at everything", looks, all)
	}
	r.complete()
	r.write("nested/f", "behind the border")
	r.write("../other/f", "elsewhere")
	if looks, _ := r.follow(); looks > 0 {
		t.Errorf("%d looks for what happens in other subvolumes", looks)
	}
	if err := unix.Unmount(dir, 0); err != unix.EBUSY {
		t.Errorf("a primary that is open was unmounted: %v", err)
	}
	r.kill()
	unmount()
	for end := time.Now().Add(time.Minute); ; {
		out, err := exec.Command("losetup", "-j", file).CombinedOutput()
		if err != nil {
			t.Fatal(err)
		}
		if strings.TrimSpace(string(out)) == "" {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("the filesystem is still in use: %s", out)
		}
	}
}
