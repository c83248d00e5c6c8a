package watch

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/localfs"
)

// btrfs gives a directory on a btrfs of its own, where reading changes nothing.
func btrfs(t *testing.T) string {
	t.Helper()
	dir := image(t, 256<<20, "mkfs.btrfs", "-q")
	if err := run("mount", "-o", "remount,noatime", dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

// makeSubvolume makes a subvolume, or a snapshot of one.
func makeSubvolume(t *testing.T, path string, of ...string) {
	t.Helper()
	argv := []string{"btrfs", "subvolume", "create", path}
	if len(of) > 0 {
		argv = []string{"btrfs", "subvolume", "snapshot", of[0], path}
	}
	command(t, argv...)
}

// TestChanges does one thing at a time: the filesystem tells of just the directories in
// which a listing shows it.
func TestChanges(t *testing.T) {
	t.Parallel()
	base := btrfs(t)
	// One that is not the filesystem's own, and a tree that is not all of it.
	makeSubvolume(t, filepath.Join(base, "sub"))
	tree := filepath.Join(base, "sub", "tree")
	at := func(name string) string { return filepath.Join(tree, name) }
	var kept, mapped *os.File
	write := func(name, data string) error { return os.WriteFile(at(name), []byte(data), 0o644) }
	for _, op := range []struct {
		name string
		do   func() error
		want string // directories, by the names that they had before if they were there
	}{
		{"nothing", func() error { return nil }, ""},
		{"create", func() error { return write("d/new", "") }, "d"},
		{"write", func() error { return write("d/f", "other") }, "d"},
		{"write by a descriptor from before", func() error { _, err := kept.WriteString("more"); return err }, "d"},
		{"write in the root", func() error { return write("f", "other") }, "."},
		{"truncate", func() error { return os.Truncate(at("d/f"), 1) }, "d"},
		{"chmod", func() error { return os.Chmod(at("d/f"), 0o600) }, "d"},
		{"chmod of a directory", func() error { return os.Chmod(at("e/g"), 0o700) }, "e/g"},
		{"chmod of the root", func() error { return os.Chmod(tree, 0o700) }, "."},
		{"chown", func() error { return os.Chown(at("d/f"), 1, 1) }, "d"},
		{"times", func() error { return os.Chtimes(at("d/f"), time.Unix(1, 0), time.Unix(1, 0)) }, "d"},
		{"attribute", func() error { return unix.Setxattr(at("d/f"), "user.a", []byte("x"), 0) }, "d"},
		{"attribute of a directory", func() error { return unix.Setxattr(at("d"), "user.a", []byte("x"), 0) }, "d"},
		{"attribute of a link", func() error { return unix.Lsetxattr(at("d/l"), "trusted.a", []byte("x"), 0) }, "d"},
		{"symlink", func() error { return os.Symlink("x", at("d/l2")) }, "d"},
		{"fifo", func() error { return unix.Mkfifo(at("d/p"), 0o600) }, "d"},
		{"device", func() error { return unix.Mknod(at("d/c"), unix.S_IFCHR|0o600, int(unix.Mkdev(1, 3))) }, "d"},
		{"file without a name that gets one", func() error {
			fd, err := unix.Open(at("d"), unix.O_TMPFILE|unix.O_WRONLY, 0o600)
			if err != nil {
				return err
			}
			defer unix.Close(fd)
			return unix.Linkat(unix.AT_FDCWD, fmt.Sprintf("/proc/self/fd/%d", fd), unix.AT_FDCWD, at("e/named"), unix.AT_SYMLINK_FOLLOW)
		}, "e"},
		{"link", func() error { return os.Link(at("d/f"), at("e/g/more")) }, "d e/g"},
		{"unlink of one name", func() error { return os.Remove(at("e/g/one")) }, "e e/g"},
		{"write by one name of several", func() error { return write("e/two", "other") }, "e e/g"},
		{"write to a file with many names", func() error { return write("many/0", "other") }, "e many"},
		{"remove", func() error { return os.Remove(at("d/f")) }, "d"},
		{"make a directory", func() error { return os.Mkdir(at("d/new"), 0o755) }, "d d/new"},
		{"remove a directory", func() error { return os.Remove(at("e/empty")) }, "e"},
		{"rename", func() error { return os.Rename(at("d/f"), at("d/g")) }, "d"},
		{"rename over", func() error { return os.Rename(at("d/f"), at("e/two")) }, "d e e/g"},
		{"rename to another directory", func() error { return os.Rename(at("d/f"), at("e/f")) }, "d e"},
		{"rename of a directory", func() error { return os.Rename(at("e/g"), at("e/h")) }, "e e/g"},
		{"move of a directory", func() error { return os.Rename(at("e/g"), at("d/g")) }, "d e e/g"},
		{"exchange of directories", func() error {
			return unix.Renameat2(unix.AT_FDCWD, at("d"), unix.AT_FDCWD, at("e/g"), unix.RENAME_EXCHANGE)
		}, ". d e e/g"},
		{"exchange of files", func() error {
			return unix.Renameat2(unix.AT_FDCWD, at("d/f"), unix.AT_FDCWD, at("f"), unix.RENAME_EXCHANGE)
		}, ". d"},
		{"move of a directory out of the tree", func() error { return os.Rename(at("d"), tree+".out") }, ". d"},
		{"move of a directory into the tree", func() error { return os.Rename(tree+".beside", at("d/in")) }, "d d/in"},
		{"clone", func() error {
			from, err := os.Open(at("f"))
			if err != nil {
				return err
			}
			defer from.Close()
			return unix.IoctlFileClone(int(kept.Fd()), int(from.Fd()))
		}, "d"},
		{"direct write", func() error {
			return run("dd", "if=/dev/zero", "of="+at("d/f"), "bs=4096", "count=1", "oflag=direct", "conv=notrunc")
		}, "d"},
		{"native AIO", func() error { return nativeWrite(kept, []byte("other")) }, "d"},
		{"store through a mapping, which remains", func() error {
			m, err := unix.Mmap(int(mapped.Fd()), 0, 4, unix.PROT_WRITE, unix.MAP_SHARED)
			if err != nil {
				return err
			}
			t.Cleanup(func() { _ = unix.Munmap(m) })
			m[0] = 'X'
			return nil
		}, "d"},
		{"store by a loop device", func() error {
			out, err := exec.Command("losetup", "--find", "--show", at("d/image")).Output()
			dev := strings.TrimSpace(string(out))
			if err != nil {
				return err
			}
			return errors.Join(run("dd", "if=/dev/urandom", "of="+dev, "bs=4096", "count=1", "conv=fsync"), run("losetup", "-d", dev))
		}, "d"},
		{"subvolume in the tree", func() error { return run("btrfs", "-q", "subvolume", "create", at("d/nested")) }, "d"},
		{"chmod of a subvolume in the tree", func() error { return os.Chmod(at("e/nested"), 0o700) }, "e"},
		{"change in a subvolume in the tree", func() error { return os.WriteFile(at("e/nested/sub/f"), []byte("other"), 0o644) }, ""},
		{"change beside the tree", func() error { return os.WriteFile(tree+".file", []byte("x"), 0o644) }, ""},
		{"access time", func() error {
			now := unix.Timespec{Nsec: unix.UTIME_NOW}
			keep := unix.Timespec{Nsec: unix.UTIME_OMIT}
			return unix.UtimesNanoAt(unix.AT_FDCWD, at("d/f"), []unix.Timespec{now, keep}, 0)
		}, "d"}, // a look too many
		{"balance", func() error { return run("btrfs", "-q", "balance", "start", "-m", base) }, ""},
	} {
		t.Run(op.name, func(t *testing.T) {
			for _, name := range []string{"", ".out", ".beside", ".file"} {
				if err := os.RemoveAll(tree + name); err != nil {
					t.Fatal(err)
				}
			}
			err := errors.Join(os.MkdirAll(at("d"), 0o755), os.MkdirAll(at("e/g"), 0o755), os.Mkdir(at("e/empty"), 0o755), os.Mkdir(at("many"), 0o755),
				write("f", strings.Repeat("x", 8192)), write("d/f", "some"), write("e/g/one", "some"), os.Link(at("e/g/one"), at("e/two")), os.Symlink("x", at("d/l")),
				write("many/0", "some"), os.Link(at("many/0"), at("e/first")), write("d/image", ""), os.Truncate(at("d/image"), 1<<20), write("d/mapped", "some"),
				os.MkdirAll(tree+".beside/deep", 0o755), run("btrfs", "-q", "subvolume", "create", at("e/nested")), os.Mkdir(at("e/nested/sub"), 0o755))
			for i := range 500 { // more than an inode has room for
				err = errors.Join(err, os.Link(at("many/0"), at(fmt.Sprintf("many/a-name-of-some-length-%d", i))))
			}
			if err != nil {
				t.Fatal(err)
			}
			for name, f := range map[string]**os.File{"d/f": &kept, "d/mapped": &mapped} {
				if *f, err = os.OpenFile(at(name), os.O_RDWR, 0); err != nil {
					t.Fatal(err)
				}
				defer (*f).Close()
			}
			root, err := localfs.Open(tree)
			if err != nil {
				t.Fatal(err)
			}
			defer root.Close()
			v, err := openVolume(root.FD())
			if err != nil {
				t.Fatal(err)
			}
			defer v.release()
			names := map[sdk.FileID]string{}
			identify(t, root, names)
			since, err := v.commit()
			if err != nil {
				t.Fatal(err)
			}
			if err := op.do(); err != nil {
				t.Fatal(err)
			}
			if now, err := v.commit(); err != nil || now < since {
				t.Fatalf("transaction %d after %d: %v", now, since, err)
			}
			identify(t, root, names)
			found := map[string]bool{}
			_, err = v.changes(t.Context(), since, func(id sdk.FileID) {
				if name := names[id]; name != "" {
					found[name] = true
				}
			})
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for name := range found {
				got = append(got, name)
			}
			slices.Sort(got)
			if got := strings.Join(got, " "); got != op.want {
				t.Errorf("told of %q, want %q", got, op.want)
			}
		})
	}
}

// identify notes which directories of a tree are which. Those that are known keep
// their names.
func identify(t *testing.T, root *localfs.Root, names map[sdk.FileID]string) {
	t.Helper()
	for name, e := range entries(t, root) {
		if _, known := names[e.ID]; !known {
			names[e.ID] = name
		}
	}
}

func entries(t *testing.T, root *localfs.Root) map[string]sdk.Entry {
	t.Helper()
	out := map[string]sdk.Entry{}
	err := filepath.WalkDir(root.Path(), func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(root.Path(), path)
		if err != nil {
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		out[rel], err = root.StatFile(f)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// nativeWrite writes to the begin of a file by native AIO.
func nativeWrite(f *os.File, data []byte) error {
	var queue uintptr
	if _, _, no := unix.Syscall(unix.SYS_IO_SETUP, 1, uintptr(unsafe.Pointer(&queue)), 0); no != 0 {
		return no
	}
	defer func() { _, _, _ = unix.Syscall(unix.SYS_IO_DESTROY, queue, 0, 0) }()
	one := struct { // struct iocb
		data     uint64
		key      uint32
		rwFlags  uint32
		opcode   uint16
		priority int16
		file     uint32
		buf      unsafe.Pointer
		size     uint64
		offset   int64
		_        [2]uint64
	}{opcode: 1, file: uint32(f.Fd()), buf: unsafe.Pointer(unsafe.SliceData(data)), size: uint64(len(data))}
	list := []unsafe.Pointer{unsafe.Pointer(&one)}
	if _, _, no := unix.Syscall(unix.SYS_IO_SUBMIT, queue, 1, uintptr(unsafe.Pointer(unsafe.SliceData(list)))); no != 0 {
		return no
	}
	var done struct { // struct io_event
		data, object uint64
		result, more int64
	}
	_, _, no := unix.Syscall6(unix.SYS_IO_GETEVENTS, queue, 1, 1, uintptr(unsafe.Pointer(&done)), 0, 0)
	runtime.KeepAlive(list)
	switch {
	case no != 0:
		return no
	case done.result != int64(len(data)):
		return fmt.Errorf("native AIO: %d", done.result)
	}
	return nil
}

func run(argv ...string) error {
	if out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", strings.Join(argv, " "), err, out)
	}
	return nil
}
