package mirror_test

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"syscall"
	"testing"

	"github.com/pkg/xattr"
)

// describe renders a tree with everything that a mirror has to keep, one line an
// entry, in a way that owes nothing to the code under test.
func describe(t *testing.T, root string) string {
	t.Helper()
	groups := map[uint64][]string{}
	var lines []string
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(root, path)
		line, ino, err := describeOne(path)
		if err != nil {
			return err
		}
		if ino != 0 {
			groups[ino] = append(groups[ino], rel)
		}
		lines = append(lines, fmt.Sprintf("%q %s", rel, line))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, names := range groups {
		if len(names) > 1 {
			sort.Strings(names)
			lines = append(lines, fmt.Sprintf("linked %q", names))
		}
	}
	sort.Strings(lines)
	return strings.Join(lines, "\n")
}

func describeOne(path string) (line string, ino uint64, err error) {
	info, err := os.Lstat(path)
	if err != nil {
		return "", 0, err
	}
	st := info.Sys().(*syscall.Stat_t)
	line = fmt.Sprintf("%v %d:%d %d.%09d", info.Mode(), st.Uid, st.Gid, st.Mtim.Sec, st.Mtim.Nsec)
	switch {
	case info.Mode().IsRegular():
		data, err := os.ReadFile(path)
		if err != nil {
			return "", 0, err
		}
		line += fmt.Sprintf(" %d %x", len(data), sha256.Sum256(data))
		ino = st.Ino ^ st.Dev<<40 // numbers repeat on another filesystem
	case info.Mode()&fs.ModeSymlink != 0:
		target, err := os.Readlink(path)
		if err != nil {
			return "", 0, err
		}
		line += fmt.Sprintf(" -> %q", target)
	case info.Mode()&fs.ModeDevice != 0:
		line += fmt.Sprintf(" dev %d", st.Rdev)
	}
	names, err := xattr.LList(path)
	if err != nil {
		return "", 0, fmt.Errorf("list attributes of %s: %w", path, err)
	}
	sort.Strings(names)
	for _, n := range names {
		if strings.Contains(n, "gsyncd-host.") || strings.HasPrefix(n, "trusted.SGI_ACL_") {
			continue // the latter is how xfs shows its ACLs once more
		}
		v, err := xattr.LGet(path, n)
		if err != nil {
			return "", 0, fmt.Errorf("get %s of %s: %w", n, path, err)
		}
		line += fmt.Sprintf(" %s=%x", n, v)
	}
	return line, ino, nil
}
