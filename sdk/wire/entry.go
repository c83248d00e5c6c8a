package wire

import (
	"encoding/binary"
	"fmt"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// The flags of an entry.
const (
	flagDevice = 1 << iota
	flagTarget
	flagXattrs
	flagMark
	flagErr
	flagMount
	flagNative
	flagsKnown = flagDevice | flagTarget | flagXattrs | flagMark | flagErr | flagMount | flagNative
)

// maxTarget is the longest target of a symlink that fits a row.
const maxTarget = 1<<16 - 1

// Validate checks an entry for what this encoding needs beyond
// [sdk.Entry.Validate]: an error exactly where the type is unknown, extended
// attributes sorted, and lengths that fit.
func Validate(e *sdk.Entry) error {
	if err := e.Validate(); err != nil {
		return err
	}
	switch {
	case e.Err != nil && e.Type != sdk.TypeUnknown:
		return fmt.Errorf("entry %q: a %s with an error", e.Name, e.Type)
	case len(e.Target) > maxTarget:
		return fmt.Errorf("entry %q: target of %d bytes", e.Name, len(e.Target))
	case len(e.Mark) > sdk.MaxMark:
		return fmt.Errorf("entry %q: mark of %d bytes", e.Name, len(e.Mark))
	case len(e.Xattrs) > 1<<16-1:
		return fmt.Errorf("entry %q: %d extended attributes", e.Name, len(e.Xattrs))
	}
	for i := 1; i < len(e.Xattrs); i++ {
		if e.Xattrs[i-1].Name >= e.Xattrs[i].Name {
			return fmt.Errorf("entry %q: extended attributes not sorted: %q after %q", e.Name, e.Xattrs[i].Name, e.Xattrs[i-1].Name)
		}
	}
	return nil
}

func flagsOf(e *sdk.Entry) byte {
	if e.Type == sdk.TypeUnknown {
		return flagErr
	}
	var f byte
	if e.Major|e.Minor != 0 {
		f |= flagDevice
	}
	if e.Target != "" {
		f |= flagTarget
	}
	if len(e.Xattrs) > 0 {
		f |= flagXattrs
	}
	if e.Mark != nil {
		f |= flagMark
	}
	if e.Mount {
		f |= flagMount
	}
	if !e.Native.IsZero() {
		f |= flagNative
	}
	return f
}

// appendEntry appends an entry that Validate accepted.
func appendEntry(b []byte, e *sdk.Entry) []byte {
	le := binary.LittleEndian
	flags := flagsOf(e)
	b = append(b, byte(e.Type), flags, byte(len(e.Name)))
	b = append(b, e.Name...)
	if flags&flagErr != 0 {
		return appendFault(b, e.Err)
	}
	b = le.AppendUint16(b, uint16(e.Perm))
	b = le.AppendUint32(b, e.UID)
	b = le.AppendUint32(b, e.GID)
	b = le.AppendUint32(b, e.Nlink)
	b = le.AppendUint64(b, uint64(e.Size))
	b = le.AppendUint64(b, uint64(e.Mtime.Sec))
	b = le.AppendUint32(b, e.Mtime.Nsec)
	b = le.AppendUint64(b, uint64(e.Ctime.Sec))
	b = le.AppendUint32(b, e.Ctime.Nsec)
	b = le.AppendUint64(b, e.ID.Ino)
	b = le.AppendUint64(b, e.ID.Gen)
	if flags&flagDevice != 0 {
		b = le.AppendUint32(b, e.Major)
		b = le.AppendUint32(b, e.Minor)
	}
	if flags&flagTarget != 0 {
		b = AppendStr(b, e.Target)
	}
	if flags&flagXattrs != 0 {
		b = le.AppendUint16(b, uint16(len(e.Xattrs)))
		for _, x := range e.Xattrs {
			b = append(b, byte(len(x.Name)))
			b = append(b, x.Name...)
			b = le.AppendUint32(b, uint32(len(x.Value)))
			b = append(b, x.Value...)
		}
	}
	if flags&flagMark != 0 {
		b = AppendStr(b, string(e.Mark))
	}
	if flags&flagNative != 0 {
		b, _ = e.Native.AppendBinary(b)
	}
	return b
}

// fixedSize is the length of what every entry without an error has.
const fixedSize = 2 + 4 + 4 + 4 + 8 + 8 + 4 + 8 + 4 + 8 + 8

// entry takes an entry, which nothing in the buffer backs afterwards.
func (c *Cursor) entry(e *sdk.Entry) error {
	typ, flags := c.U8(), c.U8()
	*e = sdk.Entry{Type: sdk.Type(typ), Name: string(c.Take(int(c.U8())))}
	if flags&^flagsKnown != 0 || (e.Type == sdk.TypeUnknown) != (flags == flagErr) || (flags&flagErr != 0) != (flags == flagErr) {
		return fmt.Errorf("entry %q: type %d with flags %#x", e.Name, typ, flags)
	}
	if flags&flagErr != 0 {
		var err error
		if e.Err, err = c.fault(); err != nil {
			return fmt.Errorf("entry %q: %w", e.Name, err)
		}
		return Validate(e)
	}
	b := c.Take(fixedSize)
	if b == nil {
		return errShort
	}
	le := binary.LittleEndian
	e.Perm = sdk.Perm(le.Uint16(b))
	e.UID, e.GID, e.Nlink = le.Uint32(b[2:]), le.Uint32(b[6:]), le.Uint32(b[10:])
	e.Size = int64(le.Uint64(b[14:]))
	e.Mtime = sdk.Time{Sec: int64(le.Uint64(b[22:])), Nsec: le.Uint32(b[30:])}
	e.Ctime = sdk.Time{Sec: int64(le.Uint64(b[34:])), Nsec: le.Uint32(b[42:])}
	e.ID = sdk.FileID{Ino: le.Uint64(b[46:]), Gen: le.Uint64(b[54:])}
	if flags&flagDevice != 0 {
		e.Major, e.Minor = c.U32(), c.U32()
	}
	if flags&flagTarget != 0 {
		e.Target = string(c.Str())
	}
	if flags&flagXattrs != 0 {
		c.xattrs(e)
	}
	if flags&flagMark != 0 {
		e.Mark = append([]byte{}, c.Str()...)
	}
	if flags&flagNative != 0 {
		if x := c.Take(sdk.NativeXTimeSize); x != nil {
			e.Native = sdk.NativeXTimeFrom(x)
		}
	}
	e.Mount = flags&flagMount != 0
	if c.bad {
		return errShort
	}
	if flagsOf(e) != flags {
		return fmt.Errorf("entry %q: flags %#x do not fit", e.Name, flags)
	}
	return Validate(e)
}

func (c *Cursor) xattrs(e *sdk.Entry) {
	count := int(c.U16())
	// Each takes five bytes at least: a made-up count must not cost memory.
	if count > len(c.b)/5 {
		c.bad = true
		return
	}
	e.Xattrs = make([]sdk.Xattr, 0, count)
	for range count {
		name := string(c.Take(int(c.U8())))
		size := c.U32()
		if size > sdk.MaxXattrValue {
			c.bad = true
			return
		}
		e.Xattrs = append(e.Xattrs, sdk.Xattr{Name: name, Value: append([]byte{}, c.Take(int(size))...)})
	}
}
