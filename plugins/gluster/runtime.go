package gluster

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

const (
	runPrefix = "mount." // of the directory of one mount
	mountName = "tree"   // the mount point in it
	logName   = "log"
)

// place is a directory of ours for one mount. Its lock says that somebody lives
// there; the kernel takes it away with the process.
type place struct {
	dir  string
	lock *os.File
}

func (p *place) mount() string { return filepath.Join(p.dir, mountName) }
func (p *place) log() string   { return filepath.Join(p.dir, logName) }

// runDir makes the directory for all mounts, which no other user may enter.
func runDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make %s: %w", dir, err)
	}
	var st unix.Stat_t
	if err := unix.Lstat(dir, &st); err != nil {
		return fmt.Errorf("look at %s: %w", dir, err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFDIR || int(st.Uid) != os.Geteuid() || st.Mode&0o077 != 0 {
		return fmt.Errorf("%s must be a directory that only its owner can enter: remove it", dir)
	}
	return nil
}

// newPlace removes what others left in dir when they died, and makes a place.
func newPlace(dir string) (*place, error) {
	if err := runDir(dir); err != nil {
		return nil, err
	}
	sweep(dir)
	for range 10 {
		d, err := os.MkdirTemp(dir, runPrefix)
		if err != nil {
			return nil, fmt.Errorf("make directory for the mount: %w", err)
		}
		p, err := take(d)
		if err != nil {
			continue // another sweep was quicker
		}
		if err := os.Mkdir(p.mount(), 0o700); err != nil {
			p.remove()
			return nil, fmt.Errorf("make mount point: %w", err)
		}
		return p, nil
	}
	return nil, errors.New("make directory for the mount: it vanishes at once")
}

// take locks a place, if nobody lives there.
func take(dir string) (*place, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	var st unix.Stat_t
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if err == nil {
		err = unix.Fstat(int(f.Fd()), &st)
	}
	if err == nil && st.Nlink == 0 {
		err = unix.ENOENT
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return &place{dir: dir, lock: f}, nil
}

// sweep ends the mounts whose owners are dead.
func sweep(dir string) {
	list, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	for _, e := range list {
		if !strings.HasPrefix(e.Name(), runPrefix) {
			continue
		}
		if p, err := take(filepath.Join(dir, e.Name())); err == nil {
			p.unmount()
			p.remove()
		}
	}
}

// unmount takes away a mount that nobody needs any more. Its process ends then.
func (p *place) unmount() {
	for range 8 { // there is one; more would be somebody's experiment
		if err := unix.Unmount(p.mount(), unix.UMOUNT_NOFOLLOW); err == unix.EBUSY {
			err = unix.Unmount(p.mount(), unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW)
			if err != nil {
				return
			}
		} else if err != nil {
			return
		}
	}
}

// remove removes the place. What is mounted there still is in the way, so
// nothing of a volume is ever removed.
func (p *place) remove() {
	defer p.lock.Close()
	// What cannot be removed is found by the next sweep.
	if err := syscall.Rmdir(p.mount()); err != nil && err != syscall.ENOENT {
		return
	}
	os.Remove(p.log())
	os.Remove(p.dir)
}
