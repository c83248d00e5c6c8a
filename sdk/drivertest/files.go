package drivertest

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// The helpers prepare trees by the operating system, not by the driver.

func must(t T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func put(t T, dir, path, content string) {
	t.Helper()
	must(t, os.WriteFile(filepath.Join(dir, path), []byte(content), 0o644))
}

func mkdirAll(t T, dir string, paths ...string) {
	t.Helper()
	for _, p := range paths {
		must(t, os.MkdirAll(filepath.Join(dir, p), 0o755))
	}
}

func content(t T, dir, path string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, path))
	must(t, err)
	return string(b)
}

func gone(t T, path string) {
	t.Helper()
	if _, err := os.Lstat(path); !os.IsNotExist(err) {
		t.Fatalf("%s is there: %v", path, err)
	}
}

// ours fails if the tree's directory holds bookkeeping of the program.
func (s *suite) ours(t T, dir string) {
	t.Helper()
	must(t, filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && sdk.Reserved(d.Name()) && !slices.Contains(s.cfg.Keeps, d.Name()) {
			t.Errorf("left behind: %s", path)
		}
		return nil
	}))
}

func sys(t T, path string) *syscall.Stat_t {
	t.Helper()
	var st syscall.Stat_t
	if err := syscall.Lstat(path, &st); err != nil {
		t.Fatalf("lstat %s: %v", path, err)
	}
	return &st
}

// attributes are the names of an entry's extended attributes.
func attributes(t T, path string) []string {
	t.Helper()
	buf := make([]byte, 1<<16)
	n, err := unix.Llistxattr(path, buf)
	if err != nil && err != unix.EOPNOTSUPP {
		t.Fatalf("list attributes of %s: %v", path, err)
	}
	return strings.FieldsFunc(string(buf[:max(n, 0)]), func(r rune) bool { return r == 0 })
}

// meta is what tests set where they do not care: whole seconds, which all can keep.
func meta() sdk.Meta {
	return sdk.Meta{Mask: sdk.MetaPerm | sdk.MetaMtime, Perm: 0o640, Mtime: sdk.Time{Sec: 1234567890}}
}

// stamp is all of an entry that a change of it would move.
func stamp(st *syscall.Stat_t) string {
	return fmt.Sprintf("ino %d mode %o links %d owner %d:%d size %d mtime %v ctime %v", st.Ino, st.Mode, st.Nlink, st.Uid, st.Gid, st.Size, st.Mtim, st.Ctim)
}
