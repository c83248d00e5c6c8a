package state

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// Key names the mirror of a pair of sides, given by their canonical URLs: 16
// hexadecimal digits. The same pair has the same key whatever it is called.
func Key(primary, secondary string) string {
	sum := sha256.Sum256([]byte(primary + "\x00" + secondary))
	return hex.EncodeToString(sum[:8])
}

// Base gives the directory under which mirrors keep their state when none is
// named: the system's for root, else the XDG state directory. env looks a
// variable up.
func Base(root bool, env func(string) string) (string, error) {
	if root {
		return "/var/lib/gsyncd-host", nil
	}
	if dir := env("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "gsyncd-host"), nil
	}
	if home := env("HOME"); filepath.IsAbs(home) {
		return filepath.Join(home, ".local", "state", "gsyncd-host"), nil
	}
	return "", errors.New("neither XDG_STATE_HOME nor HOME is set; name a state directory with --state-dir")
}

// LockedError says that another process runs the mirror.
type LockedError struct {
	Dir string
	PID int // 0 if not known
}

func (e *LockedError) Error() string {
	if e.PID == 0 {
		return "this mirror is already running"
	}
	return fmt.Sprintf("this mirror is already running, as process %d", e.PID)
}

// Dir is the locked state directory of one mirror.
type Dir struct {
	path string
	lock *os.File
}

// Open makes the directory if need be and locks it. A *LockedError says that
// somebody else holds it. The lock ends with Close or with the process.
func Open(base, key string) (*Dir, error) {
	path := filepath.Join(base, key)
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("make state directory: %w", err)
	}
	lock, err := os.OpenFile(filepath.Join(path, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open lock: %w", err)
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		defer func() { _ = lock.Close() }()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, &LockedError{Dir: path, PID: readPID(lock)}
		}
		return nil, fmt.Errorf("lock %s: %w", lock.Name(), err)
	}
	d := &Dir{path: path, lock: lock}
	if err := d.writePID(); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

func (d *Dir) writePID() error {
	if err := d.lock.Truncate(0); err != nil {
		return fmt.Errorf("write lock: %w", err)
	}
	if _, err := d.lock.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0); err != nil {
		return fmt.Errorf("write lock: %w", err)
	}
	return nil
}

func readPID(f *os.File) int {
	var buf [32]byte
	n, _ := f.ReadAt(buf[:], 0)
	pid, _ := strconv.Atoi(strings.TrimSpace(string(buf[:n])))
	return pid
}

// Sub makes the private directory called name in d, if need be, and gives its
// path.
func (d *Dir) Sub(name string) (string, error) {
	path := filepath.Join(d.path, name)
	if err := os.MkdirAll(path, 0o700); err != nil {
		return "", fmt.Errorf("make state directory: %w", err)
	}
	return path, nil
}

// Close gives the lock back. The lock file stays: removing it would let two
// processes hold two files of one name.
func (d *Dir) Close() error { return d.lock.Close() }
