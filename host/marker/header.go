package marker

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// The index is one file, all numbers little-endian:
//
//	header   "gsyncdMK", version u32, epoch u64, snapshot u64, root identity 16,
//	         volume 16 and beginning 8 of the native xtimes in it,
//	         length u16 and name of the filesystem, CRC-32C u32 of all before
//	batches  "mkB1", length u32, CRC-32C u32 of length and payload, payload
//
// Batches up to offset snapshot were written, with the header, before the file
// got its name: a bad one there is damage. Those after it were appended, one or
// more a pass: the last may be torn by a crash and is then cut off.
//
// Version 1 had no native xtimes, version 2 no points. They are read and then
// replaced.
const (
	fileMagic   = "gsyncdMK"
	fileVersion = 3
	noPoints    = 2
	noNatives   = 1
	batchMagic  = "mkB1"
	batchHead   = 12
	// maxBatch is far above what is ever written, and bounds what is read.
	maxBatch = 16 << 20
	maxFS    = 4 << 10
)

var errDamaged = errors.New("the index is damaged")

// header is the beginning of an index.
type header struct {
	epoch uint64
	snap  int64 // where the snapshot ends
	ident sdk.Identity
	index sdk.VolumeMark // without Until
	// version is that of the file that was read.
	version uint32
}

func (h *header) encode() []byte {
	b := []byte(fileMagic)
	b = binary.LittleEndian.AppendUint32(b, fileVersion)
	b = binary.LittleEndian.AppendUint64(b, h.epoch)
	b = binary.LittleEndian.AppendUint64(b, uint64(h.snap))
	b = appendID(b, h.ident.Root)
	b = append(b, h.index.Volume[:]...)
	b = appendNative(b, h.index.Since)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(h.ident.Filesystem)))
	b = append(b, h.ident.Filesystem...)
	return binary.LittleEndian.AppendUint32(b, crc(b))
}

// readHeader reads the header and says how long it is.
func readHeader(r io.Reader) (h header, size int64, err error) {
	const first = 8 + 4
	b := make([]byte, first, 256)
	if _, err := io.ReadFull(r, b); err != nil {
		return h, 0, damage("read its header", err)
	}
	if !bytes.Equal(b[:8], []byte(fileMagic)) {
		return h, 0, fmt.Errorf("%w: not an index", errDamaged)
	}
	fixed := first + 8 + 8 + 16 + 2
	switch h.version = binary.LittleEndian.Uint32(b[8:]); h.version {
	case fileVersion, noPoints:
		fixed += 16 + sdk.NativeXTimeSize
	case noNatives:
	default:
		return h, 0, fmt.Errorf("%w: version %d, not %d", errDamaged, h.version, fileVersion)
	}
	b = append(b, make([]byte, fixed-first)...)
	if _, err := io.ReadFull(r, b[first:]); err != nil {
		return h, 0, damage("read its header", err)
	}
	h.epoch = binary.LittleEndian.Uint64(b[12:])
	h.snap = int64(binary.LittleEndian.Uint64(b[20:]))
	h.ident.Root = sdk.FileIDFrom(b[28:])
	if h.version != noNatives {
		h.index.Volume = sdk.UUID(b[44:])
		h.index.Since = sdk.NativeXTimeFrom(b[60:])
	}
	n := int(binary.LittleEndian.Uint16(b[fixed-2:]))
	if n > maxFS {
		return h, 0, fmt.Errorf("%w: filesystem name of %d bytes", errDamaged, n)
	}
	b = append(b, make([]byte, n+4)...)
	if _, err := io.ReadFull(r, b[fixed:]); err != nil {
		return h, 0, damage("read its header", err)
	}
	h.ident.Filesystem = string(b[fixed : fixed+n])
	if crc(b[:fixed+n]) != binary.LittleEndian.Uint32(b[fixed+n:]) {
		return h, 0, fmt.Errorf("%w: checksum of its header", errDamaged)
	}
	size = int64(len(b))
	if h.epoch == 0 || h.ident.Root.IsZero() || h.snap < size {
		return h, 0, fmt.Errorf("%w: values in its header", errDamaged)
	}
	return h, size, nil
}

// damage tells a file that is too short from one that cannot be read.
func damage(what string, err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%w: it is cut short", errDamaged)
	}
	return fmt.Errorf("%s: %w", what, err)
}

func crc(b []byte) uint32 { return crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)) }

// sealBatch fills in the head that b begins with.
func sealBatch(b []byte) {
	copy(b, batchMagic)
	binary.LittleEndian.PutUint32(b[4:], uint32(len(b)-batchHead))
	binary.LittleEndian.PutUint32(b[8:], batchSum(b[4:8], b[batchHead:]))
}

func batchSum(length, payload []byte) uint32 {
	return crc32.Update(crc(length), crc32.MakeTable(crc32.Castagnoli), payload)
}

// batchAt returns the payload of the batch that b begins with.
func batchAt(b []byte) (payload []byte, ok bool) {
	if len(b) < batchHead || string(b[:4]) != batchMagic {
		return nil, false
	}
	n := binary.LittleEndian.Uint32(b[4:])
	if n > maxBatch || int(n) > len(b)-batchHead {
		return nil, false
	}
	payload = b[batchHead : batchHead+int(n)]
	return payload, batchSum(b[4:8], payload) == binary.LittleEndian.Uint32(b[8:])
}
