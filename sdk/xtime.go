package sdk

import (
	"fmt"
	"time"
)

// XTime is the time of the last change at a directory or anywhere below it.
//
// It is a logical clock. Seq grows with every change and is close to the
// nanoseconds since 1970, so that people can read it; Epoch names the run of
// the clock. Two values of different epochs cannot be ordered, only told apart.
// The idea and the name are those of Gluster's marker.
type XTime struct {
	Epoch uint64
	Seq   uint64
}

// IsZero reports whether there is no xtime.
func (x XTime) IsZero() bool { return x == XTime{} }

// String shows the time and the epoch.
func (x XTime) String() string {
	if x.IsZero() {
		return "none"
	}
	return fmt.Sprintf("%s/%08x", time.Unix(0, int64(x.Seq)).UTC().Format("2006-01-02T15:04:05.000000000Z"), uint32(x.Epoch))
}
