package glusterlab

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// process is a Gluster process of a lab.
type process struct {
	pid  int
	args []string
}

// processes are the Gluster processes that name a lab's directory. A zombie
// has no command line and so does not count.
func processes(dir string) ([]process, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	var found []process
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if p, ok := lookAt(pid, dir); ok {
			found = append(found, p)
		}
	}
	return found, nil
}

func lookAt(pid int, dir string) (process, bool) {
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil || len(line) == 0 {
		return process{}, false // it ended meanwhile
	}
	args := strings.Split(string(bytes.TrimRight(line, "\x00")), "\x00")
	switch filepath.Base(args[0]) {
	case "glusterd", "glusterfs", "glusterfsd", "gluster":
	default:
		return process{}, false
	}
	ours := slices.ContainsFunc(args, func(a string) bool { return strings.Contains(a, dir+"/") })
	return process{pid: pid, args: args}, ours
}

// after is the argument that follows a flag, or "".
func (p process) after(flag string) string {
	i := slices.Index(p.args, flag)
	if i < 0 || i+1 == len(p.args) {
		return ""
	}
	return p.args[i+1]
}

// kill ends a process at once, unless its number means another one by now.
func (p process) kill(dir string) error {
	fd, err := unix.PidfdOpen(p.pid, 0)
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("open process %d: %w", p.pid, err)
	}
	defer unix.Close(fd)
	if now, ok := lookAt(p.pid, dir); !ok || !slices.Equal(now.args, p.args) {
		return nil
	}
	if err := unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0); err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("end process %d: %w", p.pid, err)
	}
	return nil
}

// end kills the lab's processes that a caller picks, and waits till they are
// gone.
func end(dir string, pick func(process) bool) error {
	return await("its processes end", func() error {
		all, err := processes(dir)
		if err != nil {
			return err
		}
		left := 0
		for _, p := range all {
			if !pick(p) {
				continue
			}
			left++
			if err := p.kill(dir); err != nil {
				return err
			}
		}
		if left > 0 {
			return fmt.Errorf("%d still run", left)
		}
		return nil
	})
}
