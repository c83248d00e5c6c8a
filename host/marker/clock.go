package marker

import "time"

// reserveAhead is how far ahead of the value in use the high-water mark in the
// journal is put, in nanoseconds. Even where a disk loses the end of a journal
// that it said was safe, and the wall clock is set back as well, values of the
// last seconds are not given out again.
const reserveAhead = uint64(10 * time.Second)

// clock is the logical clock: values only grow, and are the wall clock's
// nanoseconds wherever that does not contradict.
type clock struct {
	wall     func() time.Time
	last     uint64 // the last value given out
	reserved uint64 // high-water mark in the journal
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
