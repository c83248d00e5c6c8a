package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// oddTree fills a directory with one of each that a mirror has to keep.
func oddTree(t *testing.T, root string) {
	t.Helper()
	at := func(name string) string { return filepath.Join(root, name) }
	for i, d := range []string{"d", "d/deep/er", "open", "odd\nname", "bytes\xff\xfe", strings.Repeat("n", 255)} {
		check(t, errors.Join(os.MkdirAll(at(d), 0o755), os.WriteFile(at(d+"/f"), bytes.Repeat([]byte{byte('a' + i)}, 1000*i), 0o644)))
	}
	check(t, os.WriteFile(at("large"), noise(7, 3<<20), 0o640))
	check(t, os.WriteFile(at("owned"), []byte("of another"), 0o600))
	check(t, errors.Join(os.Chown(at("owned"), 1234, 4321), os.Chown(at("d/deep"), 77, 78)))
	check(t, errors.Join(os.WriteFile(at("set-id"), nil, 0o755), os.Chmod(at("set-id"), 0o755|fs.ModeSetuid|fs.ModeSetgid)))
	check(t, os.Chmod(at("open"), 0o777|fs.ModeSticky))
	check(t, errors.Join(os.Link(at("large"), at("d/large too")), os.Link(at("large"), at("d/deep/er/and again"))))
	check(t, errors.Join(os.Symlink("../nowhere", at("d/dangling")), os.Symlink(strings.Repeat("x", 3000), at("long link")), os.Link(at("d/dangling"), at("d/linked link"))))
	check(t, os.Lchown(at("d/dangling"), 5, 6))
	check(t, errors.Join(unix.Mkfifo(at("fifo"), 0o620), unix.Mknod(at("null"), unix.S_IFCHR|0o666, int(unix.Mkdev(1, 3))), unix.Mknod(at("block"), unix.S_IFBLK|0o600, int(unix.Mkdev(7, 99)))))
	check(t, errors.Join(unix.Setxattr(at("owned"), "user.of file", []byte("value\x00\xff"), 0), unix.Setxattr(at("d"), "user.of dir", nil, 0)))
	for _, name := range []string{"owned", "d/deep"} {
		check(t, unix.Setxattr(at(name), "system.posix_acl_access", acl(), 0))
	}
	sparse(t, at("sparse"))
	// Times last, from below: parts of a second, after 2038; Gluster keeps none
	// before 1970.
	for i, name := range []string{"d/deep/er/f", "d/deep/er", "d/deep", "d/f", "d", "owned", "fifo", "null", "odd\nname", "open", "d/dangling", "large", ""} {
		when := unix.Timespec{Sec: 1e9*int64(i%5) + 1, Nsec: int64(i)*1001 + 7}
		check(t, unix.UtimesNanoAt(unix.AT_FDCWD, at(name), []unix.Timespec{when, when}, unix.AT_SYMLINK_NOFOLLOW))
	}
}

// acl is an access list in the kernel's encoding: version 2; owner rw, user 1000
// r, group r, mask r, others nothing.
func acl() []byte {
	b := binary.LittleEndian.AppendUint32(nil, 2)
	for _, e := range []struct {
		tag, perm uint16
		id        uint32
	}{{1, 6, ^uint32(0)}, {2, 4, 1000}, {4, 4, ^uint32(0)}, {16, 4, ^uint32(0)}, {32, 0, ^uint32(0)}} {
		b = binary.LittleEndian.AppendUint16(b, e.tag)
		b = binary.LittleEndian.AppendUint16(b, e.perm)
		b = binary.LittleEndian.AppendUint32(b, e.id)
	}
	return b
}

const sparseSize = 16 << 20

func sparse(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	check(t, err)
	_, err = f.WriteAt([]byte("in the middle"), sparseSize/2)
	check(t, errors.Join(err, f.Truncate(sparseSize), f.Close()))
}

// changeTree changes what oddTree made, in each way once.
func changeTree(t *testing.T, root string) {
	t.Helper()
	at := func(name string) string { return filepath.Join(root, name) }
	check(t, os.WriteFile(at("d/f"), []byte("other content"), 0o644))
	f, err := os.OpenFile(at("d/large too"), os.O_WRONLY, 0)
	check(t, err)
	_, err = f.WriteAt([]byte("in place"), 1<<20)
	check(t, errors.Join(err, f.Close()))
	check(t, os.Rename(at("odd\nname"), at("d/odd\nname too")))
	check(t, os.Remove(at("d/dangling")))
	check(t, os.RemoveAll(at("open")))
	check(t, errors.Join(os.Remove(at("fifo")), os.Mkdir(at("fifo"), 0o711), os.WriteFile(at("fifo/f"), []byte("f"), 0o644)))
	check(t, errors.Join(os.RemoveAll(at("bytes\xff\xfe")), os.Symlink("d", at("bytes\xff\xfe"))))
	check(t, errors.Join(os.Link(at("owned"), at("d/owned")), os.Chown(at("owned"), 9, 9), os.Chmod(at("d/deep/er"), 0o700)))
	check(t, errors.Join(unix.Removexattr(at("owned"), "user.of file"), unix.Setxattr(at("d"), "user.of dir", []byte("now"), 0)))
	when := time.Unix(1234567890, 987654321)
	check(t, os.Chtimes(at("d/deep"), when, when))
}

// sameTrees compares two trees entry by entry.
func sameTrees(t *testing.T, p, s string) {
	t.Helper()
	a, err := describe(p)
	check(t, err)
	b, err := describe(s)
	check(t, err)
	if diff := cmp.Diff(strings.Split(a, "\n"), strings.Split(b, "\n")); diff != "" {
		t.Errorf("the trees differ (-%s +%s):\n%s", p, s, diff)
	}
	for _, name := range []string{"null", "block"} { // which describe does not look into
		var x, y unix.Stat_t
		check(t, errors.Join(unix.Lstat(filepath.Join(p, name), &x), unix.Lstat(filepath.Join(s, name), &y)))
		if x.Rdev != y.Rdev {
			t.Errorf("%s: device %x, want %x", name, y.Rdev, x.Rdev)
		}
	}
	var st unix.Stat_t
	check(t, unix.Lstat(filepath.Join(s, "sparse"), &st))
	if st.Blocks*512 > sparseSize/4 {
		t.Errorf("the file with holes has %d blocks", st.Blocks)
	}
}
