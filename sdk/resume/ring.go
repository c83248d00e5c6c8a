package resume

// ring holds the part [start, end) of a stream of bytes.
type ring struct {
	buf        []byte // its length is 0 or a power of two
	start, end uint64
}

func (r *ring) len() int { return int(r.end - r.start) }

// add appends p.
func (r *ring) add(p []byte) {
	if need := r.len() + len(p); need > len(r.buf) {
		size := max(len(r.buf), 4<<10)
		for size < need {
			size *= 2
		}
		grown := ring{buf: make([]byte, size), start: r.start, end: r.end}
		for at := r.start; at < r.end; {
			part := r.at(at)
			grown.put(at, part)
			at += uint64(len(part))
		}
		*r = grown
	}
	r.put(r.end, p)
	r.end += uint64(len(p))
}

// put copies p to a place for which there is room.
func (r *ring) put(at uint64, p []byte) {
	for len(p) > 0 {
		n := copy(r.buf[at&uint64(len(r.buf)-1):], p)
		at, p = at+uint64(n), p[n:]
	}
}

// at is a part of what is held, from a place on: not more than there is, and not
// nothing unless the place is the end.
func (r *ring) at(at uint64) []byte {
	if at == r.end {
		return nil
	}
	i := int(at & uint64(len(r.buf)-1))
	return r.buf[i:min(len(r.buf), i+int(r.end-at))]
}

// drop forgets what is before a place.
func (r *ring) drop(to uint64) { r.start = to }
