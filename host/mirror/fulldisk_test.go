package mirror_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/gsyncd/gsyncd-host/host/mirror"
	"github.com/gsyncd/gsyncd-host/sdk"
)

// small mounts a small filesystem as the secondary.
func (r *rig) small(kind string) {
	r.t.Helper()
	asRoot(r.t)
	switch kind {
	case "tmpfs":
		if err := unix.Mount("tmpfs", r.secondary, "tmpfs", 0, "size=12m"); err != nil {
			r.t.Skipf("SKIPPED, NOT TESTED: tmpfs cannot be mounted here: %v", err)
		}
		unmountAtEnd(r.t, r.secondary)
	case "ext4":
		loopMount(r.t, filepath.Join(memoryDir(r.t), "image"), r.secondary, 12<<20, "loop", "mkfs.ext4", "-q", "-m", "0", "-O", "^has_journal")
		if err := os.Remove(filepath.Join(r.secondary, "lost+found")); err != nil {
			r.t.Fatal(err)
		}
	}
}

// loopMount makes a filesystem in a file, with a command that gets its name, and
// mounts it at a directory.
func loopMount(t *testing.T, image, at string, size int64, options string, mkfs ...string) {
	t.Helper()
	if err := errors.Join(os.WriteFile(image, nil, 0o600), os.Truncate(image, size)); err != nil {
		t.Fatal(err)
	}
	mount := []string{"mount", "-o", options, image, at}
	for _, argv := range [][]string{append(mkfs, image), mount} {
		out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput()
		// Somebody else may take the loop device that was just found to be free.
		for tries := 0; err != nil && argv[0] == mount[0] && tries < 5; tries++ {
			out, err = exec.Command(argv[0], argv[1:]...).CombinedOutput()
		}
		if err != nil {
			t.Skipf("SKIPPED, NOT TESTED: no loop-mounted filesystem here: %v: %v: %s", argv, err, out)
		}
	}
	unmountAtEnd(t, at)
}

func unmountAtEnd(t *testing.T, at string) {
	t.Cleanup(func() {
		if err := unix.Unmount(at, unix.MNT_DETACH); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
}

// TestFullDisk: a secondary without room keeps what it has, whole, and takes the
// rest once there is room.
func TestFullDisk(t *testing.T) {
	for _, kind := range []string{"tmpfs", "ext4"} {
		for _, streamed := range []bool{false, true} {
			t.Run(kind+map[bool]string{true: "/streamed", false: "/direct"}[streamed], func(t *testing.T) {
				r := newRig(t)
				r.streamed = streamed
				r.log = quietLog()
				r.small(kind)
				r.sh("mkdir d e; head -c 2M /dev/urandom >d/a; head -c 2M /dev/urandom >e/b; echo small >d/small")
				r.age() // or what is too young might be sent twice, and fill the disk
				r.sync()
				r.equal()
				old, err := os.ReadFile(filepath.Join(r.secondary, "d/a"))
				if err != nil {
					t.Fatal(err)
				}
				r.sh("head -c 9M /dev/urandom >d/a; head -c 9M /dev/urandom >d/new; echo changed >d/small; head -c 30M /dev/urandom >huge")
				if err := r.run(mirror.Options{Once: true}); !errors.Is(err, mirror.ErrProblems) {
					t.Fatalf("run: %v, want problems", err)
				}
				s := r.tracker.Snapshot()
				for _, p := range s.Problems {
					if p.Kind != sdk.KindNoSpace || p.Side != sdk.Secondary {
						t.Errorf("problem %+v, want no-space on the secondary", p)
					}
				}
				if len(s.Problems) == 0 {
					t.Error("no problem was listed")
				}
				now, err := os.ReadFile(filepath.Join(r.secondary, "d/a"))
				if err != nil || string(now) != string(old) {
					t.Errorf("the old version is not whole any more: %v", err)
				}
				if r.exists("d/new") || r.exists("huge") {
					t.Error("something half made is visible")
				}
				r.sh("rm huge d/new e/b; head -c 1M /dev/urandom >d/a")
				r.sync()
				r.equal()
				if own := surveyOf(t, r.secondary).own; len(own) > 0 {
					t.Errorf("left behind: %s", strings.Join(own, " "))
				}
			})
		}
	}
}
