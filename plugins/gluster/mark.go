package gluster

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"golang.org/x/sys/unix"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/localfs"
)

// markAttr is the volume's own mark; with "." and a UUID that of another.
const markAttr = "trusted.glusterfs.volume-mark"

const (
	markSize    = 27           // version 2, UUID 16, state 1, seconds 4, microseconds 4
	foreignSize = markSize + 4 // and when it expires: seconds 4
)

// errNotIndexed says that a volume has no mark: its index is off.
var errNotIndexed = errors.New("the volume has no mark")

// parseMark reads what markAttr holds.
func parseMark(b []byte) (sdk.VolumeMark, error) {
	var m sdk.VolumeMark
	switch {
	case len(b) != markSize:
		return m, fmt.Errorf("a volume mark of %d bytes", len(b))
	case b[0] != 1:
		return m, fmt.Errorf("a volume mark of version %d.%d", b[0], b[1])
	case b[18] != 0:
		return m, fmt.Errorf("a volume mark in state %d: the bricks do not agree on it", b[18])
	}
	copy(m.Volume[:], b[2:])
	m.Since = sdk.NativeXTimeFrom(b[19:])
	if m.Volume.IsZero() {
		return m, errors.New("a volume mark of no volume")
	}
	return m, nil
}

// appendForeign appends the mark as the classic gsyncd leaves it on a secondary.
func appendForeign(b []byte, m sdk.VolumeMark) []byte {
	b = append(b, 1, 0)
	b = append(b, m.Volume[:]...)
	b = append(b, 0)
	b, _ = m.Since.AppendBinary(b)
	until := uint32(math.MaxUint32)
	if !m.Until.IsZero() {
		until = uint32(min(max(m.Until.Sec, 0), math.MaxUint32))
	}
	return binary.BigEndian.AppendUint32(b, until)
}

// setForeign keeps another volume's mark on a directory.
func setForeign(d *localfs.Dir, m sdk.VolumeMark) error {
	name, value := foreignAttr(m.Volume), appendForeign(make([]byte, 0, foreignSize), m)
	if err := d.SetXattr(name, value); err != nil {
		return err
	}
	got, err := d.Xattr(".", name)
	if err == nil && !bytes.Equal(got, value) {
		err = &sdk.Error{Kind: sdk.KindUnsupported, Op: "set volume mark", Msg: "the volume does not keep it"}
	}
	if err != nil {
		return err
	}
	return addName(d, m.Volume)
}

// volumeMark reads the volume's own mark; errNotIndexed says that there is none.
func volumeMark(path string) (sdk.VolumeMark, error) {
	var b [64]byte
	n, err := unix.Lgetxattr(path, markAttr, b[:])
	switch err {
	case nil:
		return parseMark(b[:n])
	case unix.ENODATA:
		return sdk.VolumeMark{}, errNotIndexed
	}
	return sdk.VolumeMark{}, fmt.Errorf("read volume mark: %w", err)
}

// xtimeAttr is where a volume's native xtimes are.
func xtimeAttr(volume sdk.UUID) string { return "trusted.glusterfs." + volume.String() + ".xtime" }

// readMark asks for the volume mark on an open directory.
func readMark(d *localfs.Dir) error {
	mark, err := d.Xattr(".", markAttr)
	if err != nil {
		return sdk.NewError("read volume mark", "", err)
	}
	if mark == nil {
		return &sdk.Error{Kind: sdk.KindTransient, Op: "read volume mark", Msg: errNotIndexed.Error() + " any more"}
	}
	return nil
}

// readXTime asks for an open directory's own xtime, for the sake of the error: a
// brick that is not there gives one.
func readXTime(d *localfs.Dir, attr string) error {
	if _, err := d.Xattr(".", attr); err != nil {
		return sdk.NewError("read xtime", "", err)
	}
	return nil
}
