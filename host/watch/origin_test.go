package watch

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// TestOrigin names directories by links and by further mounts of their filesystem.
func TestOrigin(t *testing.T) {
	dir := memory(t)
	for _, d := range []string{"a/b/c", "a b", "other", "bound", "ro"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("a/b", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	origin := func(name string) string {
		t.Helper()
		o, err := Origin(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
	root := origin(".")
	for name, want := range map[string]string{"a": "/a", "a/b/c": "/a/b/c", "a b": "/a b", "link": "/a/b", "link/c": "/a/b/c"} {
		if got := origin(name); got != root+want {
			t.Errorf("%s: %s, want %s%s", name, got, root, want)
		}
	}
	if o, err := Origin(filepath.Join(dir, "none")); !os.IsNotExist(err) {
		t.Errorf("what is not there: %q, %v", o, err)
	}
	needsRoot(t)
	bind := func(from, at string, more uintptr) {
		t.Helper()
		from, at = filepath.Join(dir, from), filepath.Join(dir, at)
		if err := unix.Mount(from, at, "", unix.MS_BIND|more, ""); err != nil {
			t.Fatal(err)
		}
	}
	bind("a/b", "bound", 0)
	bind("a b", "ro", unix.MS_REC)
	bind("bound/c", "other", 0)
	for name, want := range map[string]string{"bound": "/a/b", "bound/c": "/a/b/c", "other": "/a/b/c", "ro": "/a b"} {
		if got := origin(name); got != root+want {
			t.Errorf("%s: %s, want %s%s", name, got, root, want)
		}
	}
	if err := unix.Mount("tmpfs", filepath.Join(dir, "a/b/c"), "tmpfs", 0, ""); err != nil {
		t.Fatal(err)
	}
	if got := origin("a/b/c"); within(got, root) {
		t.Errorf("another filesystem: %s in %s", got, root)
	}
}
