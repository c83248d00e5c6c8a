package main

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/pkg/xattr"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// volumeLock stays in the root of a Gluster volume that was a secondary.
const volumeLock = sdk.ReservedPrefix + "lock"

// describe renders a tree with what a mirror has to keep, one line an entry, in
// a way that owes nothing to the program.
func describe(root string) (string, error) {
	var lines []string
	groups := map[uint64][]string{}
	err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		if rel == volumeLock {
			return nil
		}
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
	for _, names := range groups {
		if len(names) > 1 {
			lines = append(lines, fmt.Sprintf("linked %q", names)) // the walk is sorted
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n"), err
}

// describeOne describes an entry; ino tells files with several names.
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
		ino = st.Ino
	case info.Mode()&fs.ModeSymlink != 0:
		target, err := os.Readlink(path)
		if err != nil {
			return "", 0, err
		}
		line += fmt.Sprintf(" -> %q", target)
	}
	names, err := xattr.LList(path)
	if err != nil {
		return "", 0, fmt.Errorf("list attributes of %s: %w", path, err)
	}
	slices.Sort(names)
	for _, n := range names {
		if strings.Contains(n, sdk.ReservedPrefix[1:]) || strings.HasPrefix(n, "trusted.glusterfs.") {
			continue // a mark, or a volume's xtime beside it
		}
		if info.IsDir() && strings.HasPrefix(n, "trusted.glusterfs.") && strings.HasSuffix(n, ".xtime") {
			continue // the stamp that classic gsyncd would leave
		}
		v, err := xattr.LGet(path, n)
		if err != nil {
			return "", 0, fmt.Errorf("get %s of %s: %w", n, path, err)
		}
		line += fmt.Sprintf(" %s=%x", n, v)
	}
	return line, ino, nil
}

// leftovers lists the program's own names in a tree.
func leftovers(root string) (left []string, err error) {
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err == nil && sdk.Reserved(d.Name()) && path != filepath.Join(root, volumeLock) {
			left = append(left, path)
		}
		return err
	})
	return left, err
}
