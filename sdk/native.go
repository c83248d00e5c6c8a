package sdk

import (
	"cmp"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"time"
)

// UUID names a volume for good.
type UUID [16]byte

// IsZero reports whether there is none.
func (u UUID) IsZero() bool { return u == UUID{} }

// String gives the usual form, in lower case with dashes.
func (u UUID) String() string {
	return fmt.Sprintf("%x-%x-%x-%x-%x", u[:4], u[4:6], u[6:8], u[8:10], u[10:])
}

// ParseUUID reads what String gives; upper case will do.
func ParseUUID(s string) (UUID, error) {
	var u UUID
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return u, errors.New("a UUID has the form xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx")
	}
	if _, err := hex.Decode(u[:], []byte(s[:8]+s[9:13]+s[14:18]+s[19:23]+s[24:])); err != nil {
		return UUID{}, fmt.Errorf("UUID %q: %w", s, err)
	}
	return u, nil
}

// NativeXTime is an xtime that the storage itself keeps for a directory, as
// Gluster's marker does: when something last changed at it or below, by the
// clock of a brick. It is a very good hint and no proof; an equal one says that
// nothing was marked since.
type NativeXTime struct {
	Sec  uint32 // since 1970, UTC
	Usec uint32 // microseconds
}

// NativeXTimeSize is the length of an encoded NativeXTime.
const NativeXTimeSize = 8

// IsZero reports whether there is none: nothing was marked there yet.
func (x NativeXTime) IsZero() bool { return x == NativeXTime{} }

// AppendBinary appends Gluster's encoding: both numbers in big-endian order.
func (x NativeXTime) AppendBinary(b []byte) ([]byte, error) {
	b = binary.BigEndian.AppendUint32(b, x.Sec)
	return binary.BigEndian.AppendUint32(b, x.Usec), nil
}

// NativeXTimeFrom decodes what AppendBinary wrote; b has at least
// NativeXTimeSize bytes.
func NativeXTimeFrom(b []byte) NativeXTime {
	return NativeXTime{Sec: binary.BigEndian.Uint32(b), Usec: binary.BigEndian.Uint32(b[4:])}
}

// Compare orders times: -1, 0 or +1.
func (x NativeXTime) Compare(o NativeXTime) int {
	if c := cmp.Compare(x.Sec, o.Sec); c != 0 {
		return c
	}
	return cmp.Compare(x.Usec, o.Usec)
}

// Time is the point in time.
func (x NativeXTime) Time() Time {
	return Time{Sec: int64(x.Sec), Nsec: min(x.Usec, 999_999) * 1000}
}

// String shows the time.
func (x NativeXTime) String() string {
	if x.IsZero() {
		return "none"
	}
	return time.Unix(int64(x.Sec), int64(x.Usec)*1000).UTC().Format("2006-01-02T15:04:05.000000Z")
}

// VolumeMark says whose native xtimes a tree has: those of a volume, kept since
// its index was begun. If Since changes the index was begun anew, and no xtime
// read before says anything.
type VolumeMark struct {
	Volume UUID
	Since  NativeXTime
	// Until is when the mark ceases to hold unless it is renewed. Zero: it holds
	// for good, being the volume's own.
	Until Time
}

// IsZero reports whether there are no native xtimes.
func (m VolumeMark) IsZero() bool { return m.Volume.IsZero() }
