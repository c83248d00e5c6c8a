package crawl

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// Mark is what the host leaves on a directory of the secondary: which primary
// directory it mirrors, up to which change.
//
// The identity is there because xtimes alone cannot tell two directories that
// were swapped: each would meet the other's mark.
type Mark struct {
	// XTime: all changes at or below the primary directory up to it are on the
	// secondary. Zero in a mark that only says that filling has begun.
	XTime sdk.XTime
	// Dir is the primary directory.
	Dir sdk.FileID
	// Since: what is on the secondary was read at or after this point of the
	// primary filesystem's clock, so an entry whose Ctime is before it and that
	// looks the same is the same.
	Since sdk.Time
}

// Holds reports whether a directory with this mark needs no visit when the
// primary directory is dir and stands at x.
func (m Mark) Holds(x sdk.XTime, dir sdk.FileID) bool {
	return !x.IsZero() && m.XTime == x && m.Dir == dir
}

const (
	markVersion = 1
	markSize    = 1 + 8 + 8 + sdk.FileIDSize + 8 + 4 + 4
)

// ErrMark is the error of a mark that cannot be read. It is treated as no mark.
var ErrMark = errors.New("unreadable mark")

// Encode gives the mark's bytes, with a checksum: a mark is trusted for good,
// so a torn one must not pass.
func (m Mark) Encode() []byte {
	b := make([]byte, 0, markSize)
	b = append(b, markVersion)
	b = binary.LittleEndian.AppendUint64(b, m.XTime.Epoch)
	b = binary.LittleEndian.AppendUint64(b, m.XTime.Seq)
	b, _ = m.Dir.AppendBinary(b)
	b = binary.LittleEndian.AppendUint64(b, uint64(m.Since.Sec))
	b = binary.LittleEndian.AppendUint32(b, m.Since.Nsec)
	return binary.LittleEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
}

// DecodeMark reads what Encode wrote.
func DecodeMark(b []byte) (Mark, error) {
	if len(b) != markSize {
		return Mark{}, fmt.Errorf("%w: %d bytes", ErrMark, len(b))
	}
	if b[0] != markVersion {
		return Mark{}, fmt.Errorf("%w: version %d", ErrMark, b[0])
	}
	body := b[:markSize-4]
	if crc32.ChecksumIEEE(body) != binary.LittleEndian.Uint32(b[markSize-4:]) {
		return Mark{}, fmt.Errorf("%w: checksum", ErrMark)
	}
	m := Mark{
		XTime: sdk.XTime{Epoch: binary.LittleEndian.Uint64(b[1:]), Seq: binary.LittleEndian.Uint64(b[9:])},
		Dir:   sdk.FileIDFrom(b[17:]),
		Since: sdk.Time{Sec: int64(binary.LittleEndian.Uint64(b[33:])), Nsec: binary.LittleEndian.Uint32(b[41:])},
	}
	if m.Since.Nsec >= 1e9 {
		return Mark{}, fmt.Errorf("%w: nanoseconds %d", ErrMark, m.Since.Nsec)
	}
	return m, nil
}
