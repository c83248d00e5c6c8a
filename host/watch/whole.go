package watch

import (
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// whole is an open directory by which the kernel marks the whole filesystem that it
// is on.
type whole struct {
	fd  int
	id  fsid // in the events of that mark
	dev uint64
}

// errNotAdmin says what it takes to mark a whole filesystem.
var errNotAdmin = errors.New("a whole filesystem may only be watched with the capability CAP_SYS_ADMIN; run as root, or with it")

const wholeFlags = unix.O_RDONLY | unix.O_DIRECTORY | unix.O_CLOEXEC

// openWhole opens such a directory on the filesystem of dir. It is dir itself, but
// for btrfs the top level, whatever subvolume dir is in.
func openWhole(dir int) (*whole, error) {
	fd, err := unix.Openat(dir, ".", wholeFlags, 0)
	if err != nil {
		return nil, fmt.Errorf("open what is to be watched: %w", err)
	}
	w := &whole{fd: fd}
	var fs unix.Statfs_t
	err = unix.Fstatfs(w.fd, &fs)
	if err == nil && uint32(fs.Type) == unix.BTRFS_SUPER_MAGIC {
		defer unix.Close(fd)
		if w.fd, err = openTopLevel(fd); err != nil {
			return nil, err
		}
		err = unix.Fstatfs(w.fd, &fs)
	}
	var st unix.Stat_t
	if err == nil {
		err = unix.Fstat(w.fd, &st)
	}
	if err != nil {
		w.close()
		return nil, fmt.Errorf("look at the filesystem to be watched: %w", err)
	}
	w.dev = st.Dev
	for i, v := range fs.Fsid.Val {
		binary.NativeEndian.PutUint32(w.id[4*i:], uint32(v))
	}
	return w, nil
}

func (w *whole) close() { _ = unix.Close(w.fd) }

// What the top level of each btrfs is called, in its metadata and in its handles.
const (
	topTree      = 5    // BTRFS_FS_TREE_OBJECTID
	topDir       = 256  // BTRFS_FIRST_FREE_OBJECTID, the directory in that
	btrfsHandle  = 0x4d // FILEID_BTRFS_WITHOUT_PARENT
	btrfsFidSize = 20   // struct btrfs_fid without a parent: the directory, the tree, the generation
)

// openTopLevel opens the top level of the btrfs that dir is on. It need not be
// mounted anywhere: it is opened by a handle, which is made here.
func openTopLevel(dir int) (int, error) {
	const why = "open the top level of the btrfs: %w"
	gen, err := topGeneration(dir)
	if errors.Is(err, unix.EPERM) {
		return -1, errNotAdmin
	}
	if err != nil {
		return -1, fmt.Errorf(why, err)
	}
	b := make([]byte, 0, btrfsFidSize)
	b = binary.NativeEndian.AppendUint64(b, topDir)
	b = binary.NativeEndian.AppendUint64(b, topTree)
	b = binary.NativeEndian.AppendUint32(b, uint32(gen))
	fd, err := unix.OpenByHandleAt(dir, unix.NewFileHandle(btrfsHandle, b), wholeFlags)
	if err == unix.EPERM {
		return -1, errors.New("it takes the capability CAP_DAC_READ_SEARCH; run as root, or with it")
	}
	if err != nil {
		return -1, fmt.Errorf(why, err)
	}
	return fd, nil
}

// topGeneration reads the generation of the top level's directory, without which
// its handle is no good before Linux 6.2.
func topGeneration(dir int) (generation uint64, err error) {
	at, found := key{objectid: topDir, kind: inodeItem}, false
	buf := make([]byte, searchArgsSize+foundHead+inodeSize)
	_, _, err = searchTree(dir, topTree, buf, at, at, 0, 1, func(at key, item []byte) {
		if found = len(item) >= 8; found {
			generation = binary.LittleEndian.Uint64(item)
		}
	})
	if err == nil && !found {
		err = errors.New("it has no inode")
	}
	return generation, err
}
