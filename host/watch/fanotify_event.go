package watch

import (
	"encoding/binary"
	"fmt"

	"golang.org/x/sys/unix"
)

// handle names a directory of the marked filesystem; data is valid while the
// event is handled.
type handle struct {
	kind int32
	data []byte
}

// Lengths in the kernel's records, see fanotify(7).
const (
	eventHead  = 24 // struct fanotify_event_metadata
	infoHead   = 4  // struct fanotify_event_info_header
	infoFsid   = 8  // of struct fanotify_event_info_fid, before the handle
	handleHead = 8  // struct file_handle, before its bytes
)

// eachEvent calls f for every event in b, with the directory that it is about.
func eachEvent(b []byte, f func(mask uint64, dir handle)) error {
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
		dir, err := dirOf(b[head:size])
		if err != nil {
			return err
		}
		f(order.Uint64(b[8:]), dir)
		b = b[size:]
	}
	return nil
}

// dirOf finds the directory in an event's records.
func dirOf(b []byte) (dir handle, err error) {
	order := binary.NativeEndian
	for len(b) > 0 {
		if len(b) < infoHead {
			return dir, fmt.Errorf("%d bytes are no record of an event", len(b))
		}
		size := int(order.Uint16(b[2:]))
		if size < infoHead || size > len(b) {
			return dir, fmt.Errorf("a record of %d bytes in an event", size)
		}
		if b[0] == unix.FAN_EVENT_INFO_TYPE_DFID {
			const at = infoHead + infoFsid
			if size < at+handleHead {
				return dir, fmt.Errorf("a directory in a record of %d bytes", size)
			}
			n := int(order.Uint32(b[at:]))
			if n > size-at-handleHead {
				return dir, fmt.Errorf("a handle of %d bytes in a record of %d", n, size)
			}
			dir.kind = int32(order.Uint32(b[at+4:]))
			dir.data = b[at+handleHead : at+handleHead+n]
		}
		b = b[size:]
	}
	return dir, nil
}
