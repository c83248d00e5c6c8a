package glusterlab

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const (
	socketList = "sockets"          // in a lab: what to remove outside it
	socketDir  = "/var/run/gluster" // compiled into Gluster
)

// clearAway undoes a lab, whatever state it is in: also one half made or half
// cleared away.
func clearAway(dir string) error {
	if _, err := os.Lstat(dir); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	sockets, err := socketsOf(dir)
	if err != nil {
		return err
	}
	// glusterd first, or it starts bricks while they are being ended.
	err = end(dir, func(p process) bool { return filepath.Base(p.args[0]) == "glusterd" })
	if err != nil {
		return err
	}
	at, err := mountsIn(dir)
	if err != nil {
		return err
	}
	for _, m := range at {
		if err := unmount(m, 2*time.Second); err == nil {
			continue
		}
		// Somebody still works in it, or its server is gone.
		if err := unix.Unmount(m, unix.MNT_DETACH); err != nil && !errors.Is(err, unix.EINVAL) {
			return fmt.Errorf("unmount %s: %w", m, err)
		}
	}
	if err := end(dir, func(process) bool { return true }); err != nil {
		return err
	}
	if at, err = mountsIn(dir); err != nil {
		return err
	}
	if len(at) > 0 {
		return fmt.Errorf("still mounted: %s", strings.Join(at, ", "))
	}
	for _, s := range sockets {
		if err := os.Remove(s); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("remove a brick's socket: %w", err)
		}
	}
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("remove lab: %w", err)
	}
	return nil
}

// unmount unmounts a directory; a busy one is tried again for a while.
func unmount(at string, patience time.Duration) error {
	for end := time.Now().Add(patience); ; <-time.After(20 * time.Millisecond) {
		err := unix.Unmount(at, unix.UMOUNT_NOFOLLOW)
		if err == nil || errors.Is(err, unix.EINVAL) { // EINVAL: it is not mounted any more
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("unmount %s: %w", at, err)
		}
	}
}

// mountsIn are the mount points in a lab, the innermost first.
func mountsIn(dir string) ([]string, error) {
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return nil, fmt.Errorf("list mounts: %w", err)
	}
	defer f.Close()
	var at []string
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if fields := strings.Fields(lines.Text()); len(fields) > 4 && strings.HasPrefix(fields[4], dir+"/") {
			at = append(at, fields[4])
		}
	}
	slices.Reverse(at)
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("list mounts: %w", err)
	}
	return at, nil
}

// socketsOf are the sockets a lab's processes made outside it: those noted
// when they started, and those of what runs now.
func socketsOf(dir string) ([]string, error) {
	noted, err := os.ReadFile(filepath.Join(dir, socketList))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("read %s: %w", socketList, err)
	}
	sockets := strings.Fields(string(noted))
	all, err := processes(dir)
	if err != nil {
		return nil, err
	}
	for _, p := range all {
		sockets = append(sockets, p.after("-S"))
	}
	return slices.DeleteFunc(sockets, func(s string) bool {
		return filepath.Dir(s) != socketDir || !strings.HasSuffix(s, ".socket")
	}), nil
}

// noteSockets writes down the sockets of what runs now: a brick that is killed
// leaves its socket, and nothing that names it.
func (l *Lab) noteSockets() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	sockets, err := socketsOf(l.dir)
	if err != nil {
		return err
	}
	for _, s := range sockets {
		l.sockets[s] = true
	}
	var b strings.Builder
	for s := range l.sockets {
		fmt.Fprintln(&b, s)
	}
	if err := os.WriteFile(l.path(socketList), []byte(b.String()), 0o600); err != nil {
		return fmt.Errorf("note sockets: %w", err)
	}
	return nil
}
