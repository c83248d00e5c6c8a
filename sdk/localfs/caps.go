package localfs

import (
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// Privileged reports whether the process may read and write trusted.* and
// security.* attributes and make devices: it has CAP_SYS_ADMIN where the
// machine's user ids are its own. Root of a user namespace is not privileged.
func Privileged() bool { return HasCap(unix.CAP_SYS_ADMIN) && initialUsers() }

// HasCap reports whether capability c is effective.
func HasCap(c int) bool {
	hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&hdr, &data[0]); err != nil {
		return os.Geteuid() == 0
	}
	return data[c/32].Effective&(1<<(c%32)) != 0
}

func initialUsers() bool {
	b, err := os.ReadFile("/proc/self/uid_map")
	if err != nil {
		return true
	}
	f := strings.Fields(string(b))
	return len(f) == 3 && f[0] == "0" && f[1] == "0" && f[2] == "4294967295"
}
