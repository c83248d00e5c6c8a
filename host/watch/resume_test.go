package watch

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/gsyncd/gsyncd-host/host/marker"
)

// TestResume: a start from a point looks at what changed since, and at nothing else.
func TestResume(t *testing.T) {
	t.Parallel()
	r := newHistoryRig(t, btrfs(t))
	r.kill()
	r.resume(0)
	r.kill()
	r.write("d0/f", "other") // which is open to nobody's eyes but by its other name
	r.write("d2/new/f", "new")
	if err := errors.Join(os.Rename(r.path("d3"), r.path("d4/d3")), os.Remove(r.path("d5/e/f")), os.Chmod(r.path("d6/e"), 0o700),
		os.MkdirAll(r.tree+".in/a/b", 0o755), os.Rename(r.tree+".in", r.path("d7/in"))); err != nil {
		t.Fatal(err)
	}
	r.resume(14)
	// The same once more, ended before a new point is kept.
	r.kill()
	r.resume(14)
	r.beat()
	r.kill()
	r.resume(0)
}

// TestResumeMounted: of what is mounted in the tree, or is a subvolume of its own, a listing
// shows the owner and the mode. That they changed is found as well.
func TestResumeMounted(t *testing.T) {
	t.Parallel()
	r := newHistoryRig(t, btrfs(t))
	at := r.path("d1/e")
	if err := unix.Mount("tmpfs", at, "tmpfs", 0, "size=1m"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Unmount(at, unix.MNT_DETACH) })
	makeSubvolume(t, r.path("d2/nested"))
	for r.swept = 0; r.swept == 0; {
		r.follow()
	}
	r.beat()
	r.kill()
	r.resume(1)
	r.kill()
	if err := errors.Join(os.Chmod(at, 0o711), os.Chmod(r.path("d2/nested"), 0o711)); err != nil {
		t.Fatal(err)
	}
	r.resume(2)
}

// TestResumeAll: where the history is not that of the tree as it is known, all of it is
// looked at.
func TestResumeAll(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, why string
		do        func(t *testing.T, r *rig, base string) error
	}{
		{"a snapshot in the place of the subvolume", "another filesystem or subvolume", func(t *testing.T, r *rig, base string) error {
			snapshot := filepath.Join(base, "snapshot")
			makeSubvolume(t, snapshot, filepath.Join(base, "sub"))
			if err := errors.Join(os.WriteFile(r.path("d1/f"), []byte("lost"), 0o644), os.Mkdir(r.path("d1/lost"), 0o755)); err != nil {
				return err
			}
			r.open()
			r.follow()
			r.beat()
			r.kill()
			return errors.Join(os.Rename(filepath.Join(base, "sub"), filepath.Join(base, "away")), os.Rename(snapshot, filepath.Join(base, "sub")))
		}},
		{"something mounted", "mounted or unmounted", func(t *testing.T, r *rig, _ string) error {
			at := r.path("d1/e")
			if err := unix.Mount("tmpfs", at, "tmpfs", 0, "size=1m"); err != nil {
				return err
			}
			t.Cleanup(func() { _ = unix.Unmount(at, unix.MNT_DETACH) })
			return nil
		}},
		{"a point of another version", "another version", func(_ *testing.T, r *rig, _ string) error {
			r.open()
			r.look(marker.Hint{Until: "x"})
			if r.index.Point() != "x" {
				return errors.New("the point was not kept")
			}
			r.kill()
			return nil
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			base := btrfs(t)
			sub := filepath.Join(base, "sub")
			makeSubvolume(t, sub)
			r := newHistoryRig(t, sub)
			r.kill()
			if err := c.do(t, r, base); err != nil {
				t.Fatal(err)
			}
			r.said.Reset()
			if p := r.open(); !r.first.All || r.first.Since != "" || r.first.Until == "" || !p.Swept {
				t.Errorf("the first look: %+v, swept %v", r.first, p.Swept)
			}
			if said := r.said.String(); !strings.Contains(said, c.why) || strings.Contains(said, "directories=0") {
				t.Errorf("%q is not in %s, or more than that", c.why, said)
			}
			r.follow()
			r.complete()
			r.beat()
			r.kill()
			r.resume(1) // in which something is mounted
		})
	}
}
