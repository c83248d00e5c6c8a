package watch

import (
	"encoding/binary"
	"testing"

	"golang.org/x/sys/unix"
)

// event encodes an event with records.
func event(mask uint64, records ...[]byte) []byte {
	b := make([]byte, eventHead)
	for _, r := range records {
		b = append(b, r...)
	}
	binary.NativeEndian.PutUint32(b, uint32(len(b)))
	b[4] = unix.FANOTIFY_METADATA_VERSION
	binary.NativeEndian.PutUint16(b[6:], eventHead)
	binary.NativeEndian.PutUint64(b[8:], mask)
	return b
}

func record(kind byte, handle string) []byte {
	b := make([]byte, infoHead+infoFsid+handleHead)
	b = append(b, handle...)
	b[0] = kind
	binary.NativeEndian.PutUint16(b[2:], uint16(len(b)))
	binary.NativeEndian.PutUint32(b[infoHead+infoFsid:], uint32(len(handle)))
	binary.NativeEndian.PutUint32(b[infoHead+infoFsid+4:], 0x81)
	return b
}

func TestEvents(t *testing.T) {
	b := event(unix.FAN_MODIFY, record(unix.FAN_EVENT_INFO_TYPE_FID, "the file"), record(unix.FAN_EVENT_INFO_TYPE_DFID, "directory12"))
	b = append(b, event(unix.FAN_Q_OVERFLOW)...)
	b = append(b, event(unix.FAN_CREATE, record(unix.FAN_EVENT_INFO_TYPE_DFID, "d"))...)
	type seen struct {
		mask       uint64
		dir, entry string
	}
	var got []seen
	err := eachEvent(b, func(mask uint64, dir, entry handle) {
		got = append(got, seen{mask, string(dir.data), string(entry.data)})
	})
	want := []seen{{unix.FAN_MODIFY, "directory12", "the file"}, {unix.FAN_Q_OVERFLOW, "", ""}, {unix.FAN_CREATE, "d", ""}}
	if err != nil || len(got) != len(want) || got[0] != want[0] || got[1] != want[1] || got[2] != want[2] {
		t.Errorf("%v, %v", got, err)
	}
}

// FuzzEvents lets anything be read as events.
func FuzzEvents(f *testing.F) {
	f.Add(event(unix.FAN_MODIFY, record(unix.FAN_EVENT_INFO_TYPE_FID, "file"), record(unix.FAN_EVENT_INFO_TYPE_DFID, "dir")))
	f.Add(event(unix.FAN_Q_OVERFLOW))
	f.Fuzz(func(t *testing.T, b []byte) {
		n := 0
		_ = eachEvent(b, func(uint64, handle, handle) { n++ })
		if n*eventHead > len(b) {
			t.Errorf("%d events in %d bytes", n, len(b))
		}
	})
}
