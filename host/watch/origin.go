package watch

import (
	"bytes"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// Origin gives a directory of this machine a name that it has in common with all its
// names, be they by symbolic links or by other mounts of its filesystem. It looks like a
// path: what lies in the directory lies below it in the origins as well, as long as it is
// on the same filesystem.
func Origin(dir string) (string, error) {
	dir, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return "", err
	}
	var st unix.Statx_t
	if err := unix.Statx(unix.AT_FDCWD, dir, unix.AT_SYMLINK_NOFOLLOW|unix.AT_NO_AUTOMOUNT, unix.STATX_MNT_ID, &st); err != nil {
		return "", fmt.Errorf("look at %s: %w", dir, err)
	}
	table, err := os.ReadFile(mountTable)
	if err != nil {
		return "", err
	}
	for line := range bytes.Lines(table) {
		if m, ok := parseMount(line); ok && m.id == st.Mnt_id && within(dir, m.at) {
			// Subvolumes of a btrfs are filesystems of their own, and one for the table.
			return path.Join(fmt.Sprintf("/%d:%d", st.Dev_major, st.Dev_minor), m.from, strings.TrimPrefix(dir, m.at)), nil
		}
	}
	return "", fmt.Errorf("the mount of %s is not in %s", dir, mountTable)
}
