package watch

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"strings"
	"time"

	"github.com/gsyncd/gsyncd-host/host/marker"
)

// What a point is made of: a version, the volume, a hash of the places where anything is
// mounted in the tree, the number of a transaction that was committed, and when that was
// found out: where nothing is written no new transaction tells one point from the next.
const (
	pointVersion = 1
	pointMounts  = 1 + len(volumeID{})
	pointNumber  = pointMounts + 8
	pointTaken   = pointNumber + 8
	pointSize    = pointTaken + 8
)

// point writes down a transaction.
func (h *history) point(transaction uint64) marker.Point {
	b := append([]byte{pointVersion}, h.volume.id[:]...)
	places := sha256.Sum256([]byte(strings.Join(h.mounts.below(), "\x00")))
	b = append(b, places[:8]...)
	b = binary.BigEndian.AppendUint64(b, transaction)
	return marker.Point(binary.BigEndian.AppendUint64(b, uint64(time.Now().UnixNano())))
}

// compare gives the transaction of a point, if one that was committed now came after
// it on the same volume. The error says why not.
func (h *history) compare(p marker.Point, now uint64) (uint64, error) {
	switch {
	case p == "":
		return 0, errors.New("the index keeps no point in the filesystem's history")
	case len(p) != pointSize || p[0] != pointVersion:
		return 0, errors.New("another version wrote down the point in the filesystem's history")
	}
	here := h.point(now)
	switch {
	case p[:pointMounts] != here[:pointMounts]:
		return 0, errors.New("the primary is on another filesystem or subvolume than before")
	case p[:pointNumber] != here[:pointNumber]:
		return 0, errors.New("something was mounted or unmounted in the primary")
	}
	was := binary.BigEndian.Uint64([]byte(p[pointNumber:pointTaken]))
	if was > now {
		return 0, errors.New("the filesystem was set back to an earlier state")
	}
	return was, nil
}
