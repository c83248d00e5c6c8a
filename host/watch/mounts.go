package watch

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"

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
	own  uint64 // the mount that the primary is on

	mu  sync.Mutex
	now []mount
}

// mount is a line of the table.
type mount struct {
	id, parent uint64
	dev        string // of the filesystem
	from       string // the directory of that which is mounted
	at         string
	kind       string // the filesystem's type
}

func openMounts(root *localfs.Root) (*mounts, error) {
	fd, err := unix.Open(mountTable, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", mountTable, err)
	}
	m := &mounts{fd: fd, own: root.Place().Mount}
	if m.path, err = os.Readlink("/proc/self/fd/" + strconv.Itoa(root.FD())); err == nil {
		_, err = m.changed()
	}
	if err != nil {
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
	m.mu.Lock()
	defer m.mu.Unlock()
	was := m.now
	m.now = now
	return !slices.Equal(now, was), nil
}

// below gives the places in the primary at which anything is mounted, as of the last
// look, sorted.
func (m *mounts) below() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var places []string
	for i := range m.now {
		if at := m.now[i].at; at != m.path && within(at, m.path) {
			places = append(places, strings.TrimPrefix(strings.TrimPrefix(at, m.path), "/"))
		}
	}
	slices.Sort(places)
	return places
}

// relevant gives the mounts at, above and below a path.
func relevant(table []byte, path string) []mount {
	var out []mount
	for line := range bytes.Lines(table) {
		if m, ok := parseMount(line); ok && (within(m.at, path) || within(path, m.at)) {
			out = append(out, m)
		}
	}
	return out
}

// parseMount reads a line of the table, see proc_pid_mountinfo(5). The type comes
// after a hyphen, before which there are more or fewer fields.
func parseMount(line []byte) (mount, bool) {
	f := bytes.Fields(line)
	if len(f) < 5 {
		return mount{}, false
	}
	m := mount{dev: string(f[2]), from: unescape(string(f[3])), at: unescape(string(f[4]))}
	var err error
	if m.id, err = strconv.ParseUint(string(f[0]), 10, 64); err != nil {
		return mount{}, false
	}
	if m.parent, err = strconv.ParseUint(string(f[1]), 10, 64); err != nil {
		return mount{}, false
	}
	for i, field := range f[5:] {
		if string(field) == "-" && 5+i+1 < len(f) {
			m.kind = string(f[5+i+1])
			break
		}
	}
	return m, true
}

// within reports whether a path is dir or below it.
func within(path, dir string) bool {
	return strings.HasPrefix(path, dir) && (len(path) == len(dir) || dir == "/" || path[len(dir)] == '/')
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
