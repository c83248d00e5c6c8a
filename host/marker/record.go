package marker

import (
	"encoding/binary"
	"fmt"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// Kinds of records in a batch.
const (
	recClock  = 'C' // high-water mark of the clock: 8 bytes
	recDir    = 'D' // a directory as it is now, with stamp and digest as one
	recNames  = 'L' // names in a directory of files with several, right before its record
	recNative = 'N' // the native xtime of a directory, written once all below it is
	recSwept  = 'S' // what the last pass through the whole tree found
	recForget = 'F' // a directory that is no more: its identity
	recPoint  = 'P' // a point, after all that it stands for
)

// flagNamed says of a directory's record that names precede it. It is in the journal
// alone, where flagDirty never is.
const flagNamed = flagDirty

// record is one decoded record. Its names are copies.
type record struct {
	kind   byte
	clock  uint64
	id     sdk.FileID
	parent sdk.FileID // zero for the root
	name   string
	own    uint64
	digest digest
	flags  flags
	native sdk.NativeXTime
	counts counts
	swept  swept
	point  kept
	names  *linkBatch
	first  bool // names of a directory begin with these
	// With flagMoved, the place where the secondary has it.
	fromParent sdk.FileID
	fromName   string
}

// counts is what a directory held when it was last listed.
type counts struct {
	entries uint32
	bytes   int64
}

// swept is what is kept of the last pass through the whole tree.
type swept struct {
	linked int64 // bytes in files with several names
}

// appendSwept leaves eight bytes free, which once said when that pass was.
func appendSwept(b []byte, s swept) []byte {
	b = binary.LittleEndian.AppendUint64(append(b, recSwept), 0)
	return binary.LittleEndian.AppendUint64(b, uint64(s.linked))
}

func appendNativeOf(b []byte, id sdk.FileID, x sdk.NativeXTime) []byte {
	return appendNative(appendID(append(b, recNative), id), x)
}

func appendNative(b []byte, x sdk.NativeXTime) []byte {
	b, _ = x.AppendBinary(b) // it has no error
	return b
}

func appendClock(b []byte, v uint64) []byte {
	return binary.LittleEndian.AppendUint64(append(b, recClock), v)
}

func appendForget(b []byte, id sdk.FileID) []byte {
	return appendID(append(b, recForget), id)
}

func appendPoint(b []byte, p kept) []byte {
	b = binary.LittleEndian.AppendUint64(append(b, recPoint), p.floor)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(p.at)))
	return append(b, p.at...)
}

// appendDir appends the node as it is now, after its names if it has some.
func appendDir(b []byte, t *tree, m moves, r ref, named bool) []byte {
	n := t.at(r)
	kept := n.flags & (flagsKept &^ flagMoved)
	if named {
		kept |= flagNamed
	}
	if n.is(flagDoubt) {
		kept |= flagUnknown
	}
	p := m[r]
	if p != nil {
		kept |= flagMoved
	}
	b = append(b, recDir, byte(kept))
	b = appendID(b, n.id)
	b = binary.LittleEndian.AppendUint64(b, n.own)
	b = append(b, n.digest[:]...)
	b = appendNative(b, n.native)
	b = binary.LittleEndian.AppendUint32(b, n.entries)
	b = binary.LittleEndian.AppendUint64(b, uint64(n.bytes))
	b = appendPlace(b, t, place{n.parent, n.name})
	if p != nil {
		b = appendPlace(b, t, p.from)
	}
	return b
}

func appendPlace(b []byte, t *tree, p place) []byte {
	var id sdk.FileID
	if p.parent != 0 {
		id = t.at(p.parent).id
	}
	b = appendID(b, id)
	b = append(b, byte(len(p.name)))
	return append(b, p.name...)
}

// dirSize is the length of a directory's record, without an earlier place.
func dirSize(n *node) int64 { return int64(2 + 16 + 8 + 16 + 8 + 4 + 8 + 16 + 1 + len(n.name)) }

// decodeRecord takes the first record off b, which is of a file of the present
// version or of an older one.
func decodeRecord(b []byte, version uint32) (rec record, rest []byte, err error) {
	d := decoder{b: b}
	rec.kind = d.byte()
	switch rec.kind {
	case recClock:
		rec.clock = d.uint64()
	case recForget:
		rec.id = d.id()
	case recDir:
		rec.flags = flags(d.byte())
		rec.id = d.id()
		rec.own = d.uint64()
		copy(rec.digest[:], d.take(len(rec.digest)))
		if version != noNatives {
			rec.native = d.native()
			rec.counts = counts{entries: d.uint32(), bytes: int64(d.uint64())}
		}
		rec.parent, rec.name = d.id(), d.name()
		if rec.flags&flagMoved != 0 {
			rec.fromParent, rec.fromName = d.id(), d.name()
		}
	case recNames:
		d.names(&rec)
	case recNative:
		rec.id, rec.native = d.id(), d.native()
	case recSwept:
		d.uint64()
		rec.swept = swept{linked: int64(d.uint64())}
	case recPoint:
		rec.point.floor = d.uint64()
		rec.point.at = Point(d.take(int(d.uint16())))
	default:
		return rec, nil, fmt.Errorf("record kind %#x is not known", rec.kind)
	}
	if d.short {
		return rec, nil, fmt.Errorf("record of kind %q is cut short", rec.kind)
	}
	return rec, d.b, rec.validate()
}

// validate holds a record against what this program writes.
func (rec *record) validate() error {
	switch rec.kind {
	case recClock, recSwept:
		return nil
	case recPoint:
		if len(rec.point.at) > MaxPoint {
			return fmt.Errorf("record of a point of %d bytes", len(rec.point.at))
		}
		return nil
	}
	if rec.id.IsZero() {
		return fmt.Errorf("record of kind %q without an identity", rec.kind)
	}
	switch rec.kind {
	case recForget, recNative:
		return nil
	case recNames:
		return rec.names.validate()
	}
	if rec.flags&^(flagsKept|flagNamed) != 0 {
		return fmt.Errorf("record with flags %#x", rec.flags)
	}
	if err := validPlace(rec.parent, rec.name); err != nil {
		return err
	}
	if rec.flags&flagMoved == 0 {
		return nil
	}
	if rec.fromParent.IsZero() {
		return fmt.Errorf("record of a move from nowhere")
	}
	return validPlace(rec.fromParent, rec.fromName)
}

// validPlace allows the root alone to have neither a parent nor a name.
func validPlace(parent sdk.FileID, name string) error {
	if parent.IsZero() && name == "" {
		return nil
	}
	if parent.IsZero() {
		return fmt.Errorf("directory %q without a parent", name)
	}
	return sdk.ValidateName(name)
}

// decoder reads fixed fields and notes when there were too few bytes.
type decoder struct {
	b     []byte
	short bool
}

func (d *decoder) take(n int) []byte {
	if len(d.b) < n {
		d.short, d.b = true, nil
		return nil
	}
	out := d.b[:n]
	d.b = d.b[n:]
	return out
}

func (d *decoder) byte() byte {
	if b := d.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (d *decoder) uint64() uint64 {
	if b := d.take(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

func (d *decoder) uint32() uint32 {
	if b := d.take(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

func (d *decoder) uint16() uint16 {
	if b := d.take(2); b != nil {
		return binary.LittleEndian.Uint16(b)
	}
	return 0
}

func (d *decoder) native() sdk.NativeXTime {
	if b := d.take(sdk.NativeXTimeSize); b != nil {
		return sdk.NativeXTimeFrom(b)
	}
	return sdk.NativeXTime{}
}

func (d *decoder) id() sdk.FileID {
	if b := d.take(sdk.FileIDSize); b != nil {
		return sdk.FileIDFrom(b)
	}
	return sdk.FileID{}
}

func (d *decoder) name() string { return string(d.take(int(d.byte()))) }
