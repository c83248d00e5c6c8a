package plugin

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

const (
	runPrefix = "gsyncd-host-"
	// maxRunBase is the longest directory in which a runDir can be: below it
	// come its own name, go-plugin's directory and the socket, 61 bytes in all,
	// and a socket's path has 107 at most.
	maxRunBase = 107 - 61
)

// runDir is a private directory for the sockets of one host's plugins. Its lock
// says that the host lives: the lock goes with the process, the directory does
// not, so that the next host knows what to sweep.
type runDir struct {
	path string
	lock *os.File
}

// runBase finds a directory for a runDir.
func runBase(wanted string) (string, error) {
	if wanted != "" {
		if len(wanted) > maxRunBase {
			return "", fmt.Errorf("runtime directory %s: longer than %d bytes, which the path of a socket does not allow", wanted, maxRunBase)
		}
		return wanted, nil
	}
	for _, dir := range []string{os.Getenv("XDG_RUNTIME_DIR"), os.TempDir()} {
		if fi, err := os.Stat(dir); err == nil && fi.IsDir() && filepath.IsAbs(dir) && len(dir) <= maxRunBase && unix.Access(dir, unix.W_OK) == nil {
			return dir, nil
		}
	}
	return "/tmp", nil
}

// newRunDir makes a runDir in base and removes those of hosts that are no more.
func newRunDir(base string, log *slog.Logger) (*runDir, error) {
	sweep(base, log)
	var last error
	// Another host's sweep may get in between making and locking; then again.
	for range 10 {
		path, err := os.MkdirTemp(base, runPrefix)
		if err != nil {
			return nil, fmt.Errorf("make runtime directory: %w", err)
		}
		d := &runDir{path: path}
		if d.lock, last = lockDir(path); last == nil {
			return d, nil
		}
	}
	return nil, fmt.Errorf("make runtime directory: %w", last)
}

// remove removes the directory, if it holds nothing but what plugins put into
// such a one.
func (d *runDir) remove() error {
	err := husk(d.path, 0, false)
	if err == nil {
		err = husk(d.path, 0, true)
	}
	return errors.Join(err, d.lock.Close())
}

// huskDepth is how deep a runtime directory is: its own level, and go-plugin's.
const huskDepth = 2

// husk looks at a directory, or removes it, in which there may be sockets,
// symlinks and such directories and nothing else. Anything that could be data is
// an error: a name in a directory for temporary files proves nothing about who
// owns what is below it. What goes meanwhile, as that of a plugin that just ended
// does, is as good as removed.
func husk(path string, depth int, remove bool) error {
	if depth > huskDepth {
		return fmt.Errorf("%s: deeper than a runtime directory is", path)
	}
	list, err := os.ReadDir(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range list {
		at := filepath.Join(path, e.Name())
		switch {
		case e.IsDir():
			err = husk(at, depth+1, remove)
		case e.Type()&(fs.ModeSocket|fs.ModeSymlink) == 0:
			err = fmt.Errorf("%s is no socket: not a runtime directory", at)
		case remove:
			err = unlink(at)
		}
		if err != nil {
			return err
		}
	}
	if remove {
		return unlink(path)
	}
	return nil
}

func unlink(path string) error {
	if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// lockDir opens and locks the directory that is at path and still is afterwards.
func lockDir(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_DIRECTORY|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", path, err), f.Close())
	}
	mine, err := f.Stat()
	if err == nil {
		var there os.FileInfo
		if there, err = os.Lstat(path); err == nil && !os.SameFile(mine, there) {
			err = fmt.Errorf("%s was replaced", path)
		}
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// sweep removes what dead hosts of this user left in base. It is a courtesy:
// nothing depends on its success.
func sweep(base string, log *slog.Logger) {
	list, err := os.ReadDir(base)
	if err != nil {
		return
	}
	for _, e := range list {
		if !strings.HasPrefix(e.Name(), runPrefix) || !e.IsDir() {
			continue
		}
		fi, err := e.Info()
		if err != nil {
			continue
		}
		st, ok := fi.Sys().(*syscall.Stat_t)
		if !ok || int(st.Uid) != os.Geteuid() || fi.Mode().Perm() != 0o700 {
			continue
		}
		path := filepath.Join(base, e.Name())
		lock, err := lockDir(path)
		if err != nil {
			continue // its host lives
		}
		stale := &runDir{path: path, lock: lock}
		if err := stale.remove(); err != nil {
			log.Debug("left alone what looks like a runtime directory", "dir", path, "error", err)
			continue
		}
		log.Debug("removed runtime directory of a dead host", "dir", path)
	}
}
