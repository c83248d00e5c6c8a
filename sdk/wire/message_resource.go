package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// AppendIdentity appends an identity.
func AppendIdentity(b []byte, id sdk.Identity) []byte {
	b = AppendStr(b, clip(id.Filesystem))
	b, _ = id.Root.AppendBinary(b) // never fails
	return b
}

// DecodeIdentity decodes what AppendIdentity wrote.
func DecodeIdentity(b []byte) (sdk.Identity, error) {
	c := Cursor{b: b}
	id := sdk.Identity{Filesystem: clip(string(c.Str()))}
	if x := c.Take(sdk.FileIDSize); x != nil {
		id.Root = sdk.FileIDFrom(x)
	}
	return id, c.Done()
}

// AppendBeacon appends a beacon.
func AppendBeacon(b []byte, x sdk.Beacon) []byte {
	b = appendTime(b, x.Now)
	b = binary.LittleEndian.AppendUint64(b, uint64(x.Window))
	return appendVolumeMark(b, x.Index)
}

// DecodeBeacon decodes what AppendBeacon wrote.
func DecodeBeacon(b []byte) (sdk.Beacon, error) {
	c := Cursor{b: b}
	x := sdk.Beacon{Now: c.time(), Window: time.Duration(c.U64()), Index: c.volumeMark()}
	if x.Now.Nsec >= 1e9 || x.Window < 0 || x.Index.Until.Nsec >= 1e9 {
		return x, errors.New("time out of range")
	}
	return x, c.Done()
}

func appendTime(b []byte, t sdk.Time) []byte {
	b = binary.LittleEndian.AppendUint64(b, uint64(t.Sec))
	return binary.LittleEndian.AppendUint32(b, t.Nsec)
}

func (c *Cursor) time() sdk.Time { return sdk.Time{Sec: int64(c.U64()), Nsec: c.U32()} }

func appendVolumeMark(b []byte, m sdk.VolumeMark) []byte {
	b = append(b, m.Volume[:]...)
	b, _ = m.Since.AppendBinary(b) // never fails
	return appendTime(b, m.Until)
}

func (c *Cursor) volumeMark() sdk.VolumeMark {
	var m sdk.VolumeMark
	copy(m.Volume[:], c.Take(len(m.Volume)))
	m.Since = c.native()
	m.Until = c.time()
	return m
}

func (c *Cursor) native() sdk.NativeXTime {
	if x := c.Take(sdk.NativeXTimeSize); x != nil {
		return sdk.NativeXTimeFrom(x)
	}
	return sdk.NativeXTime{}
}

// FieldsKnown are all bits of an [sdk.Fields].
const FieldsKnown = sdk.FieldTarget | sdk.FieldXattrs | sdk.FieldMark | sdk.FieldNative | sdk.FieldEntryNative

// AppendPaths appends a list of paths, of at most sdk.MaxBatch, with the fields
// that are wanted of what is there.
func AppendPaths(b []byte, fields sdk.Fields, paths []sdk.Path) ([]byte, error) {
	if len(paths) > sdk.MaxBatch {
		return b, fmt.Errorf("%d paths in one message", len(paths))
	}
	b = append(b, byte(fields))
	b = binary.LittleEndian.AppendUint16(b, uint16(len(paths)))
	for _, p := range paths {
		if err := p.Validate(); err != nil {
			return b, err
		}
		b = AppendStr(b, string(p))
	}
	return b, nil
}

// Paths takes what AppendPaths wrote, and checks it.
func (c *Cursor) Paths() (sdk.Fields, []sdk.Path, error) {
	fields := sdk.Fields(c.U8())
	n := c.count(int(c.U16()), 2)
	if n > sdk.MaxBatch || fields&^FieldsKnown != 0 {
		return 0, nil, fmt.Errorf("%d paths, fields %#x", n, fields)
	}
	out := make([]sdk.Path, n)
	for i := range out {
		var err error
		if out[i], err = c.Path(); err != nil {
			return 0, nil, err
		}
	}
	return fields, out, c.Done()
}

// Path takes a path and checks it.
func (c *Cursor) Path() (sdk.Path, error) {
	p := sdk.Path(c.Str())
	if c.bad {
		return "", errShort
	}
	return p, p.Validate()
}

// AppendEntryOrFault appends an entry row, or, where it is too large or breaks the
// rules, one that says so. Without a good name there is none.
func AppendEntryOrFault(b []byte, e *sdk.Entry) ([]byte, error) {
	out, err := AppendEntry(b, e)
	if err != nil && nameable(e) {
		return AppendEntry(b, Unreadable(e.Name, err))
	}
	return out, err
}

// entryRow takes an entry row.
func (c *Cursor) entryRow(e *sdk.Entry) error {
	if c.bad {
		return errShort
	}
	rest, err := NextEntry(c.b, e)
	if err == nil {
		c.b = rest
	}
	return err
}

// AppendError appends an error of any kind as an [*sdk.Error].
func AppendError(b []byte, op string, err error) []byte { return appendFault(b, AsError(op, err)) }

// Error takes an error. One that breaks the rules becomes one that says so: what
// it is about failed in any case.
func (c *Cursor) Error() *sdk.Error {
	e, err := c.fault()
	if err != nil {
		return &sdk.Error{Kind: sdk.KindFatal, Op: "decode error", Msg: err.Error()}
	}
	return e
}

func appendMeta(b []byte, m *sdk.Meta) ([]byte, error) {
	le := binary.LittleEndian
	if len(m.Xattrs) > math.MaxUint16 {
		return b, fmt.Errorf("%d extended attributes", len(m.Xattrs))
	}
	b = append(b, byte(m.Mask))
	b = le.AppendUint16(b, uint16(m.Perm))
	b = le.AppendUint32(b, m.UID)
	b = le.AppendUint32(b, m.GID)
	b = appendTime(b, m.Mtime)
	b = le.AppendUint16(b, uint16(len(m.Xattrs)))
	for _, x := range m.Xattrs {
		if len(x.Name) > sdk.MaxXattrName || len(x.Value) > sdk.MaxXattrValue {
			return b, fmt.Errorf("extended attribute %q out of range", x.Name)
		}
		b = append(append(b, byte(len(x.Name))), x.Name...)
		b = AppendBytes(b, x.Value)
	}
	return b, nil
}

// meta takes attributes, which nothing in the message backs afterwards: a writer
// keeps them until the file's end, which is in a later message.
func (c *Cursor) meta() (sdk.Meta, error) {
	m := sdk.Meta{Mask: sdk.MetaMask(c.U8()), Perm: sdk.Perm(c.U16()), UID: c.U32(), GID: c.U32(), Mtime: c.time()}
	if m.Mask&^sdk.MetaAll != 0 || m.Perm&^sdk.PermMask != 0 || m.Mtime.Nsec >= 1e9 {
		return m, errors.New("attributes out of range")
	}
	n := c.count(int(c.U16()), 5)
	for range n {
		x := sdk.Xattr{Name: string(c.Take(int(c.U8()))), Value: bytes.Clone(c.Bytes())}
		if c.bad {
			break
		}
		if err := ValidateXattr(x); err != nil {
			return m, err
		}
		m.Xattrs = append(m.Xattrs, x)
	}
	if c.bad {
		return m, errShort
	}
	return m, nil
}
