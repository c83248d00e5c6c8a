package watch

import (
	"encoding/binary"
	"fmt"

	"golang.org/x/sys/unix"
)

// fsid is what the kernel calls a marked filesystem, in events and statfs.
type fsid [8]byte

// handle names an object of a marked filesystem; data is valid while the event is
// handled, and nil if there is none.
type handle struct {
	fs   fsid
	kind int32
	data []byte
}

// Lengths in the kernel's records, see fanotify(7).
const (
	eventHead  = 24          // struct fanotify_event_metadata
	infoHead   = 4           // struct fanotify_event_info_header
	infoFsid   = len(fsid{}) // of struct fanotify_event_info_fid, before the handle
	handleHead = 8           // struct file_handle, before its bytes
)

// eachEvent calls f for every event in b, with the directory that it is about, and
// the entry if that is told.
func eachEvent(b []byte, f func(mask uint64, dir, entry handle)) error {
	order := binary.NativeEndian
	for len(b) > 0 {
		if len(b) < eventHead {
			return fmt.Errorf("%d bytes are no event", len(b))
		}
		size, head := int(order.Uint32(b)), int(order.Uint16(b[6:]))
		if b[4] != unix.FANOTIFY_METADATA_VERSION {
			return fmt.Errorf("events of version %d are not known", b[4])
		}
		if size < eventHead || size > len(b) || head < eventHead || head > size {
			return fmt.Errorf("an event of %d bytes with a head of %d", size, head)
		}
		dir, entry, err := handlesOf(b[head:size])
		if err != nil {
			return err
		}
		f(order.Uint64(b[8:]), dir, entry)
		b = b[size:]
	}
	return nil
}

// handlesOf finds the directory and the entry in an event's records.
func handlesOf(b []byte) (dir, entry handle, err error) {
	order := binary.NativeEndian
	for len(b) > 0 {
		if len(b) < infoHead {
			return dir, entry, fmt.Errorf("%d bytes are no record of an event", len(b))
		}
		size := int(order.Uint16(b[2:]))
		if size < infoHead || size > len(b) {
			return dir, entry, fmt.Errorf("a record of %d bytes in an event", size)
		}
		to := &dir
		switch b[0] {
		case unix.FAN_EVENT_INFO_TYPE_FID:
			to = &entry
			fallthrough
		case unix.FAN_EVENT_INFO_TYPE_DFID:
			const at = infoHead + infoFsid
			if size < at+handleHead {
				return dir, entry, fmt.Errorf("a handle in a record of %d bytes", size)
			}
			n := int(order.Uint32(b[at:]))
			if n > size-at-handleHead {
				return dir, entry, fmt.Errorf("a handle of %d bytes in a record of %d", n, size)
			}
			copy(to.fs[:], b[infoHead:])
			to.kind = int32(order.Uint32(b[at+4:]))
			to.data = b[at+handleHead : at+handleHead+n]
		}
		b = b[size:]
	}
	return dir, entry, nil
}
