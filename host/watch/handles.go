package watch

import (
	"encoding/binary"

	"golang.org/x/sys/unix"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/localfs"
)

// maxHandles bounds the handles that are remembered, in about 8 MB. Beyond, all are
// forgotten: what something happens to again costs a few microseconds once more.
const maxHandles = 1 << 16

// handles finds directories and files by their handles. A handle means one for good,
// wherever that is moved, so what is found once can be kept as long as its filesystem
// is mounted.
type handles struct {
	root  *localfs.Root
	ways  map[fsid]*way // to the filesystems below the root
	known map[string]sdk.FileID
	key   []byte
}

// way leads to a filesystem that is mounted in the tree. It is open only while it is
// used, or nobody could unmount the filesystem.
type way struct {
	dev   uint64
	place place
	fd    int // -1: not open
}

func newHandles(root *localfs.Root) handles {
	return handles{root: root, ways: map[fsid]*way{}, known: map[string]sdk.FileID{}}
}

// resolve gives the identity of what a handle means as the driver tells it. The error is
// a bare errno, errMoved, or one of localfs. What it opens remains so until rest.
func (h *handles) resolve(obj handle) (sdk.FileID, error) {
	h.key = append(binary.LittleEndian.AppendUint32(append(h.key[:0], obj.fs[:]...), uint32(obj.kind)), obj.data...)
	if id, ok := h.known[string(h.key)]; ok {
		return id, nil
	}
	at, err := h.enter(obj.fs)
	if err != nil {
		return sdk.FileID{}, err
	}
	fd, err := unix.OpenByHandleAt(at, unix.NewFileHandle(obj.kind, obj.data), unix.O_PATH|unix.O_CLOEXEC)
	if err != nil {
		return sdk.FileID{}, err
	}
	defer unix.Close(fd)
	e, err := h.root.StatFD(fd)
	if err != nil {
		return sdk.FileID{}, err
	}
	if len(h.known) >= maxHandles {
		clear(h.known)
	}
	h.known[string(h.key)] = e.ID
	return e.ID, nil
}

// enter gives something open on a filesystem. Any but those below is taken for the
// root's: a handle of one that is no longer there leads nowhere.
func (h *handles) enter(fs fsid) (int, error) {
	w, ok := h.ways[fs]
	if !ok {
		return h.root.FD(), nil
	}
	if w.fd >= 0 {
		return w.fd, nil
	}
	d, err := w.place.open(h.root)
	if err != nil {
		return -1, err
	}
	defer d.Close()
	w.fd, err = unix.Openat(d.FD(), ".", wholeFlags, 0)
	if err != nil {
		w.fd = -1
	}
	return w.fd, err
}

// rest closes what was opened.
func (h *handles) rest() {
	for _, w := range h.ways {
		if w.fd >= 0 {
			_ = unix.Close(w.fd)
			w.fd = -1
		}
	}
}
