package wire

import (
	"encoding/binary"
	"fmt"
)

// Cursor takes values off the front of a message. Once something is missing every
// further value is zero, so that one look at the end, with Done, is enough.
type Cursor struct {
	b   []byte
	bad bool
}

// NewCursor returns a Cursor at the front of b.
func NewCursor(b []byte) *Cursor { return &Cursor{b: b} }

// Take takes n bytes, which are those of the message. Nil: there are not as many.
func (c *Cursor) Take(n int) []byte {
	if c.bad || n < 0 || n > len(c.b) {
		c.bad = true
		return nil
	}
	out := c.b[:n:n]
	c.b = c.b[n:]
	return out
}

// U8 takes a byte.
func (c *Cursor) U8() uint8 {
	if b := c.Take(1); b != nil {
		return b[0]
	}
	return 0
}

// U16 takes two bytes, little endian as all numbers.
func (c *Cursor) U16() uint16 {
	if b := c.Take(2); b != nil {
		return binary.LittleEndian.Uint16(b)
	}
	return 0
}

// U32 takes four bytes.
func (c *Cursor) U32() uint32 {
	if b := c.Take(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

// U64 takes eight bytes.
func (c *Cursor) U64() uint64 {
	if b := c.Take(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

// Str takes a u16 length and that many bytes.
func (c *Cursor) Str() []byte { return c.Take(int(c.U16())) }

// Bytes takes a u32 length and that many bytes.
func (c *Cursor) Bytes() []byte {
	n := c.U32()
	if uint64(n) > uint64(len(c.b)) {
		c.bad = true
		return nil
	}
	return c.Take(int(n))
}

// Rest takes all that is left.
func (c *Cursor) Rest() []byte { return c.Take(len(c.b)) }

// More reports whether something is left, and nothing was missing so far.
func (c *Cursor) More() bool { return !c.bad && len(c.b) > 0 }

// Done reports a message that was too short or too long.
func (c *Cursor) Done() error {
	switch {
	case c.bad:
		return errShort
	case len(c.b) != 0:
		return fmt.Errorf("%d bytes too many", len(c.b))
	}
	return nil
}

// count takes a number of elements that take size bytes each at least: a made-up
// one must not cost memory.
func (c *Cursor) count(n, size int) int {
	if c.bad || n > len(c.b)/size {
		c.bad = true
		return 0
	}
	return n
}

// AppendStr appends a string of at most 65,535 bytes.
func AppendStr(b []byte, s string) []byte {
	b = binary.LittleEndian.AppendUint16(b, uint16(len(s)))
	return append(b, s...)
}

// AppendBytes appends a u32 length and the bytes.
func AppendBytes(b, data []byte) []byte {
	b = binary.LittleEndian.AppendUint32(b, uint32(len(data)))
	return append(b, data...)
}
