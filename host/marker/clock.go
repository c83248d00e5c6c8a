package marker

import (
	"encoding/binary"
	"fmt"
	"io"
	"time"
)

const (
	// reserveAhead is how far ahead of the value in use the high-water mark in the
	// journal is put, in nanoseconds: after a crash, values up to it may have been
	// given out.
	reserveAhead = uint64(10 * time.Second)
	// maxSkip bounds what a clock that is ahead of the wall clock leaves out when it
	// is loaded, in nanoseconds.
	maxSkip = 1 << 32
)

// clock is the logical clock: values only grow, and are the wall clock's
// nanoseconds wherever that does not contradict.
type clock struct {
	wall     func() time.Time
	last     uint64 // the last value given out
	reserved uint64 // high-water mark in the journal
}

// resume goes on from a journal's high-water mark. If that is ahead of the wall clock,
// a number of values is left out at random. A disk may lose the end of a journal that
// it said was safe, or an older one may be put in its place: whoever loaded it before
// went on from the same mark, and what was stamped with the values right behind it is
// on the secondary.
func (c *clock) resume(mark uint64, random io.Reader) error {
	c.last, c.reserved = mark, mark
	if n := c.wall().UnixNano(); n > 0 && mark <= uint64(n) {
		return nil
	}
	var b [8]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		return fmt.Errorf("choose where the clock goes on: %w", err)
	}
	c.last += binary.LittleEndian.Uint64(b[:]) % maxSkip
	return nil
}

// next is the value that the coming pass would stamp with.
func (c *clock) next() uint64 {
	var now uint64
	if n := c.wall().UnixNano(); n > 0 {
		now = uint64(n)
	}
	return max(c.last+1, now)
}

// use records that v was given out, and reports whether a new high-water mark
// has to go into the journal with it.
func (c *clock) use(v uint64) bool {
	c.last = max(c.last, v)
	if v <= c.reserved {
		return false
	}
	c.reserved = v + reserveAhead
	return true
}
