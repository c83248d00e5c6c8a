package watch

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// needsRoot skips what only root can do.
func needsRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED, NOT TESTED: needs root")
	}
}

// image gives a directory on a filesystem of its own, made with a command that
// gets the image's name.
func image(t *testing.T, size int64, mkfs ...string) string {
	t.Helper()
	dir, _ := mounted(t, makeImage(t, size, mkfs...), "loop")
	return dir
}

// makeImage gives the name of a filesystem's image.
func makeImage(t *testing.T, size int64, mkfs ...string) string {
	t.Helper()
	needsRoot(t)
	file := filepath.Join(t.TempDir(), "image")
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(f.Truncate(size), f.Close()); err != nil {
		t.Fatal(err)
	}
	command(t, append(mkfs, file)...)
	return file
}

func command(t *testing.T, argv ...string) {
	t.Helper()
	if err := run(argv...); err != nil {
		t.Fatal(err)
	}
}

// mounted mounts an image somewhere until end is called, or the test ends.
func mounted(t *testing.T, file, options string) (dir string, end func()) {
	t.Helper()
	dir = t.TempDir()
	t.Cleanup(func() { unmountBelow(t, dir) })
	command(t, "mount", "-o", options, file, dir)
	return dir, func() {
		t.Helper()
		if err := unmount(dir); err != nil {
			t.Fatal(err)
		}
	}
}

// unmount unmounts a directory, which may be busy for a moment: nobody waits for the end
// of a commit, and a command that another test begins has all open that this one has.
func unmount(dir string) error {
	for end := time.Now().Add(time.Minute); ; {
		if err := unix.Unmount(dir, 0); err != unix.EBUSY || time.Now().After(end) {
			return err
		}
		<-time.After(time.Millisecond)
	}
}

// unmountBelow unmounts all that is mounted at a directory or below it, however it got
// there.
func unmountBelow(t *testing.T, dir string) {
	t.Helper()
	table, err := os.ReadFile(mountTable)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range slices.Backward(relevant(table, dir)) {
		if within(m.at, dir) {
			if err := syscall.Unmount(m.at, syscall.MNT_DETACH); err != nil && err != syscall.EINVAL {
				t.Error(err)
			}
		}
	}
}

// onSubvolume gives the directory of a btrfs subvolume, as distributions mount their
// root: the top level is not mounted anywhere.
func onSubvolume(t *testing.T) string {
	t.Helper()
	dir, _ := mounted(t, subvolumes(t), "loop,subvol=@")
	return dir
}

// subvolumes gives the image of a btrfs with two subvolumes, one in the other.
func subvolumes(t *testing.T) string {
	t.Helper()
	file := makeImage(t, 256<<20, "mkfs.btrfs", "-q")
	top, end := mounted(t, file, "loop")
	for _, name := range []string{"@", "@/other"} {
		command(t, "btrfs", "subvolume", "create", filepath.Join(top, name))
	}
	end()
	return file
}

// memory gives a directory on a filesystem in memory that has handles: for root one of
// its own, since events of what others do on it may be too many.
func memory(t *testing.T) string {
	t.Helper()
	if os.Geteuid() == 0 {
		dir := t.TempDir()
		t.Cleanup(func() { unmountBelow(t, dir) })
		command(t, "mount", "-t", "tmpfs", "-o", "size=64m", "none", dir)
		return dir
	}
	dir, err := os.MkdirTemp("/dev/shm", "gsyncd-host-test-") //nolint:usetesting // memory, not the disk
	if err != nil {
		t.Skipf("SKIPPED, NOT TESTED: no filesystem in memory: %v", err)
	}
	t.Cleanup(func() {
		unmountBelow(t, dir)
		_ = os.RemoveAll(dir)
	})
	return dir
}
