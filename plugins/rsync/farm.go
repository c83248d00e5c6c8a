package rsync

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// farm is the private directory from which rsync reads. It is locked while it
// is used: a host that starts sweeps directories of this name that nobody
// holds and that have nothing but links in them, which is what a killed plugin
// leaves.
type farm struct {
	dir  string
	lock *os.File
}

const farmPrefix = "gsyncd-host-rsync-"

// makeFarm makes a farm with a link to each source.
func makeFarm(sources []*source) (farm, error) {
	f, err := newFarm()
	if err != nil {
		return farm{}, err
	}
	for _, s := range sources {
		if err := os.Symlink(openPath(int(s.open.Fd())), filepath.Join(f.dir, s.file.Name)); err != nil {
			return farm{}, errors.Join(fmt.Errorf("make link for rsync: %w", err), f.remove())
		}
	}
	return f, nil
}

func newFarm() (farm, error) {
	var last error
	// A sweep may get in between making and locking; then again.
	for range 10 {
		dir, err := os.MkdirTemp("", farmPrefix)
		if err != nil {
			return farm{}, fmt.Errorf("make directory for rsync: %w", err)
		}
		var lock *os.File
		if lock, last = lockDir(dir); last == nil {
			return farm{dir: dir, lock: lock}, nil
		}
	}
	return farm{}, fmt.Errorf("make directory for rsync: %w", last)
}

// lockDir locks the directory at dir, and sees that it is still there then.
func lockDir(dir string) (*os.File, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", dir, err), f.Close())
	}
	if _, err := os.Lstat(dir); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func (f farm) remove() error {
	if err := errors.Join(os.RemoveAll(f.dir), f.lock.Close()); err != nil {
		return fmt.Errorf("remove directory for rsync: %w", err)
	}
	return nil
}
