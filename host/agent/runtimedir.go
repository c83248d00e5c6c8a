package agent

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// maxRuntimeDir leaves room for a door's name in the address of a socket, which
// has 107 bytes.
const maxRuntimeDir = 70

// RuntimeDir makes, if need be, the directory for the doors of this user's
// agents: gsyncd-host below xdg, the value of XDG_RUNTIME_DIR, if that is this
// user's own, else one below /tmp. It is this user's alone. A host that starts
// takes away from /tmp what dead hosts left, by the beginning of its name: this
// one must not begin like that.
func RuntimeDir(xdg string) (string, error) {
	if dir := filepath.Join(xdg, "gsyncd-host"); filepath.IsAbs(xdg) && len(dir) <= maxRuntimeDir && ours(xdg) == nil {
		return dir, private(dir)
	}
	dir := fmt.Sprintf("/tmp/gsyncd-agents-%d", os.Geteuid())
	return dir, private(dir)
}

// private makes a directory that nobody else can look into.
func private(dir string) error {
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("make the directory for agents: %w", err)
	}
	if err := ours(dir); err != nil {
		return fmt.Errorf("%w; remove it, or set XDG_RUNTIME_DIR", err)
	}
	return nil
}

// ours checks that a directory is this user's, and nobody else's to write.
func ours(dir string) error {
	info, err := os.Lstat(dir)
	if err != nil {
		return fmt.Errorf("look at %s: %w", dir, err)
	}
	st, known := info.Sys().(*syscall.Stat_t)
	if !info.IsDir() || !known || int(st.Uid) != os.Geteuid() || info.Mode().Perm()&0o077 != 0 {
		return fmt.Errorf("%s is not a directory of this user's alone (mode 0700)", dir)
	}
	return nil
}
