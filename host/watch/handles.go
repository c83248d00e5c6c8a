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

// handles finds directories and files by their handles. A handle means one for good, wherever that is moved, so what is found once can be kept.
type handles struct {
	root  *localfs.Root
	known map[string]sdk.FileID
	key   []byte
}

func newHandles(root *localfs.Root) handles {
	return handles{root: root, known: map[string]sdk.FileID{}}
}

// resolve gives the identity of what a handle means as the driver tells it. The error is
// a bare errno or one of localfs.
func (h *handles) resolve(dir handle) (sdk.FileID, error) {
	h.key = append(binary.LittleEndian.AppendUint32(h.key[:0], uint32(dir.kind)), dir.data...)
	if id, ok := h.known[string(h.key)]; ok {
		return id, nil
	}
	fd, err := unix.OpenByHandleAt(h.root.FD(), unix.NewFileHandle(dir.kind, dir.data), unix.O_PATH|unix.O_CLOEXEC)
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
