package watch

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/gsyncd/gsyncd-host/sdk/localfs"
)

// mountTable is where the kernel lists this process's mounts. It can be polled.
const mountTable = "/proc/self/mountinfo"

// mounts tells when what is mounted at the primary, above it or below it is no
// longer the same: that changes what a listing shows and raises no event of a
// filesystem.
type mounts struct {
	fd   int
	path string // of the primary, without links
	was  string
}

func openMounts(root *localfs.Root) (*mounts, error) {
	path, err := os.Readlink("/proc/self/fd/" + strconv.Itoa(root.FD()))
	if err != nil {
		return nil, err
	}
	fd, err := unix.Open(mountTable, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", mountTable, err)
	}
	m := &mounts{fd: fd, path: path}
	if _, err := m.changed(); err != nil {
		m.close()
		return nil, err
	}
	return m, nil
}

// changed looks whether the mounts that matter are others than the last time.
func (m *mounts) changed() (bool, error) {
	table, err := os.ReadFile(mountTable)
	if err != nil {
		return false, err
	}
	now := relevant(table, m.path)
	was := m.was
	m.was = now
	return now != was, nil
}

// relevant gives the ids and places of the mounts at, above and below a path.
func relevant(table []byte, path string) string {
	var out strings.Builder
	for line := range bytes.Lines(table) {
		// The id comes first, and fifth the place, in which \040 is a space.
		f := bytes.Fields(line)
		if len(f) < 5 {
			continue
		}
		at := unescape(string(f[4]))
		if within(at, path) || within(path, at) {
			fmt.Fprintf(&out, "%s %s %s\n", f[0], f[2], at)
		}
	}
	return out.String()
}

// within reports whether a path is dir or below it.
func within(path, dir string) bool {
	return path == dir || dir == "/" || strings.HasPrefix(path, dir+"/")
}

// unescape resolves the octal escapes of the kernel's tables.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(n))
				i += 3
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func (m *mounts) close() { _ = unix.Close(m.fd) }
