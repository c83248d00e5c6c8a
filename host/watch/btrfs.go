package watch

import (
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The calls of btrfs that are used here; see linux/btrfs.h.
const (
	btrfsStartSync  = 0x80089418 // BTRFS_IOC_START_SYNC
	btrfsWaitSync   = 0x40089416 // BTRFS_IOC_WAIT_SYNC
	btrfsTreeSearch = 0xc0709411 // BTRFS_IOC_TREE_SEARCH_V2
	btrfsFSInfo     = 0x8400941f // BTRFS_IOC_FS_INFO
	btrfsSubvolInfo = 0x81f8943c // BTRFS_IOC_GET_SUBVOL_INFO
)

// What they fill in, and where in it.
const (
	fsInfoSize       = 1024
	fsInfoUUID       = 16
	fsInfoFlags      = 48 // what is asked for
	fsInfoGeneration = 1 << 1
	fsInfoNumber     = 56

	subvolInfoSize = 504
	subvolInfoTree = 0
	subvolInfoUUID = 296

	searchKeySize  = 104
	searchArgsSize = searchKeySize + 8 // before what is found
	searchBuffer   = 256 << 10         // the longest item takes 64 KiB
	foundHead      = 32                // struct btrfs_ioctl_search_header
)

// volume is a subvolume of a btrfs, which keeps one tree of keys and items for all
// that is in it. A transaction of the filesystem has a number, and each inode the
// one that it was last written in.
type volume struct {
	fd  int
	id  volumeID
	buf []byte // for one search at a time

	mu    sync.Mutex
	users int // of the descriptor
}

// volumeID says which filesystem, and which of its trees.
type volumeID [40]byte

// openVolume opens the subvolume of an open directory.
func openVolume(dir int) (_ *volume, err error) {
	fd, err := unix.FcntlInt(uintptr(dir), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	v := &volume{fd: fd, buf: make([]byte, searchArgsSize+searchBuffer), users: 1}
	defer func() {
		if err != nil {
			v.release()
		}
	}()
	var fs [fsInfoSize]byte
	if err := ioctl(fd, btrfsFSInfo, fs[:]); err != nil {
		return nil, fmt.Errorf("ask which filesystem it is: %w", err)
	}
	var sub [subvolInfoSize]byte
	switch err := ioctl(fd, btrfsSubvolInfo, sub[:]); err {
	case nil:
	case unix.ENOTTY:
		return nil, errors.New("the kernel does not tell of subvolumes; it takes Linux 4.18 or newer")
	default:
		return nil, fmt.Errorf("ask which subvolume it is: %w", err)
	}
	copy(v.id[:], fs[fsInfoUUID:fsInfoUUID+16])
	copy(v.id[16:], sub[subvolInfoUUID:subvolInfoUUID+16])
	copy(v.id[32:], sub[subvolInfoTree:subvolInfoTree+8])
	top := key{objectid: firstInode, kind: inodeItem}
	switch _, _, err := v.search(top, top, 0, 1, func(key, []byte) {}); {
	case errors.Is(err, unix.EPERM):
		return nil, errors.New("it takes the capability CAP_SYS_ADMIN; run as root, or with it")
	case err != nil:
		return nil, err
	}
	return v, nil
}

// commit has all that was done before written to disk, and gives the number of the
// transaction that was the last to be. What a program wrote into a file shows in
// listings at once, and has no transaction before the kernel writes it out; so
// that is asked for too.
func (v *volume) commit() (uint64, error) {
	if err := unix.Syncfs(v.fd); err != nil {
		return 0, fmt.Errorf("write out the primary's filesystem: %w", err)
	}
	var number [8]byte
	// Nothing happens if no transaction is open: the number is that of the last one.
	if err := ioctl(v.fd, btrfsStartSync, number[:]); err != nil {
		return 0, fmt.Errorf("begin a commit of the primary's filesystem: %w", err)
	}
	if err := ioctl(v.fd, btrfsWaitSync, number[:]); err != nil {
		return 0, fmt.Errorf("wait for a commit of the primary's filesystem: %w", err)
	}
	return binary.NativeEndian.Uint64(number[:]), nil
}

// running is the number of the transaction that is open, or else of the last one.
func (v *volume) running() (uint64, error) {
	var fs [fsInfoSize]byte
	binary.NativeEndian.PutUint64(fs[fsInfoFlags:], fsInfoGeneration)
	if err := ioctl(v.fd, btrfsFSInfo, fs[:]); err != nil {
		return 0, fmt.Errorf("ask for the transaction of the primary's filesystem: %w", err)
	}
	if binary.NativeEndian.Uint64(fs[fsInfoFlags:])&fsInfoGeneration == 0 {
		return 0, errors.New("the kernel does not tell of the open transaction; it takes Linux 5.10 or newer")
	}
	return binary.NativeEndian.Uint64(fs[fsInfoNumber:]), nil
}

// use keeps the descriptor open until it is released as often; false says that it is
// closed. A commit may take long, and nobody waits for one to end all.
func (v *volume) use() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.users == 0 {
		return false
	}
	v.users++
	return true
}

// release is also how who opened a volume closes it.
func (v *volume) release() {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.users--; v.users == 0 {
		_ = unix.Close(v.fd)
	}
}

// key is where an item lies in a tree.
type key struct {
	objectid uint64
	kind     uint8
	offset   uint64
}

// next is the key after one; ok is false if there is none.
func (k key) next() (_ key, ok bool) {
	if k.offset++; k.offset != 0 {
		return k, true
	}
	if k.kind++; k.kind != 0 {
		return k, true
	}
	k.objectid++
	return k, k.objectid != 0
}

// search calls f for the first items between two keys, both among them, that lie in
// blocks which were written in a transaction or later: some may be older by far. At
// most so many; 0 is as many as there is room for. from is the key to go on from; more
// is false if there is nothing. An item is valid during the call.
func (v *volume) search(from, to key, since uint64, limit uint32, f func(key, []byte)) (_ key, more bool, err error) {
	return searchTree(v.fd, 0, v.buf, from, to, since, limit, f)
}

// searchTree searches a tree of the filesystem that fd is on; 0 is the one that fd is
// in. buf has room for searchArgsSize and the items.
func searchTree(fd int, tree uint64, buf []byte, from, to key, since uint64, limit uint32, f func(key, []byte)) (_ key, more bool, err error) {
	if limit == 0 {
		limit = 1 << 30
	}
	order := binary.NativeEndian
	b := buf[:searchArgsSize]
	clear(b)
	order.PutUint64(b, tree)
	order.PutUint64(b[8:], from.objectid)
	order.PutUint64(b[16:], to.objectid)
	order.PutUint64(b[24:], from.offset)
	order.PutUint64(b[32:], to.offset)
	order.PutUint64(b[40:], since)
	order.PutUint64(b[48:], ^uint64(0))
	order.PutUint32(b[56:], uint32(from.kind))
	order.PutUint32(b[60:], uint32(to.kind))
	order.PutUint32(b[64:], limit)
	found := buf[searchArgsSize:]
	order.PutUint64(b[searchKeySize:], uint64(len(found)))
	if err := ioctl(fd, btrfsTreeSearch, buf); err != nil {
		return from, false, fmt.Errorf("search the filesystem's tree: %w", err)
	}
	for range order.Uint32(b[64:]) {
		if len(found) < foundHead {
			return from, false, errCutItem
		}
		at := key{objectid: order.Uint64(found[8:]), offset: order.Uint64(found[16:]), kind: uint8(order.Uint32(found[24:]))}
		size := uint64(order.Uint32(found[28:]))
		if found = found[foundHead:]; size > uint64(len(found)) {
			return from, false, errCutItem
		}
		f(at, found[:size])
		found = found[size:]
		from, more = at.next()
	}
	return from, more, nil
}

// errCutItem says that the kernel gave out what it cannot have meant.
var errCutItem = errors.New("search the filesystem's tree: an item is cut")

// ioctl has the kernel read and fill in a buffer.
func ioctl(fd int, call uintptr, b []byte) error {
	for {
		_, _, no := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), call, uintptr(unsafe.Pointer(unsafe.SliceData(b))))
		runtime.KeepAlive(b)
		switch no {
		case 0:
			return nil
		case unix.EINTR:
		default:
			return no
		}
	}
}
