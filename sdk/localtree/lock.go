package localtree

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/localfs"
)

// lock holds the root directory until its descriptor is closed, which the
// kernel does whatever becomes of the process.
func lock(root *localfs.Root) error {
	err := unix.Flock(root.FD(), unix.LOCK_EX|unix.LOCK_NB)
	switch err {
	case nil:
		return nil
	case unix.EWOULDBLOCK:
		msg := "another mirror writes to " + root.Path()
		if pid := holder(root.FD()); pid > 0 {
			msg += " (process " + strconv.Itoa(pid) + ")"
		}
		return &sdk.Error{Kind: sdk.KindBusy, Op: "lock", Msg: msg}
	}
	return sdk.NewError("lock "+root.Path(), "", err)
}

// holder finds who has the lock in /proc/locks, 0 if that cannot be told. Lines
// are "1: FLOCK ADVISORY WRITE pid major:minor:inode 0 EOF", numbers of the
// device in hexadecimal.
func holder(fd int) int {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return 0
	}
	b, err := os.ReadFile("/proc/locks")
	if err != nil {
		return 0
	}
	want := fmt.Sprintf("%02x:%02x:%d", unix.Major(st.Dev), unix.Minor(st.Dev), st.Ino)
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line)
		if len(f) < 6 || f[1] != "FLOCK" || f[3] != "WRITE" || f[5] != want {
			continue
		}
		if pid, err := strconv.Atoi(f[4]); err == nil && pid > 0 {
			return pid
		}
	}
	return 0
}
