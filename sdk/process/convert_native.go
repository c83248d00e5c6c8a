package process

import (
	"errors"
	"fmt"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/wire/wirepb"
)

// uuidToWire sends nothing for a zero UUID.
func uuidToWire(u sdk.UUID) []byte {
	if u.IsZero() {
		return nil
	}
	return u[:]
}

func uuidFromWire(b []byte) (u sdk.UUID, err error) {
	if len(b) != 0 && len(b) != len(u) {
		return u, fmt.Errorf("UUID of %d bytes", len(b))
	}
	copy(u[:], b)
	return u, nil
}

func nativeToWire(x sdk.NativeXTime) *wirepb.NativeXTime {
	if x.IsZero() {
		return nil
	}
	return &wirepb.NativeXTime{Sec: x.Sec, Usec: x.Usec}
}

func nativeFromWire(m *wirepb.NativeXTime) sdk.NativeXTime {
	return sdk.NativeXTime{Sec: m.GetSec(), Usec: m.GetUsec()}
}

func volumeMarkToWire(m sdk.VolumeMark) *wirepb.VolumeMark {
	if m.IsZero() {
		return nil
	}
	return &wirepb.VolumeMark{
		Volume: uuidToWire(m.Volume), Since: nativeToWire(m.Since),
		UntilSec: m.Until.Sec, UntilNsec: m.Until.Nsec,
	}
}

func volumeMarkFromWire(m *wirepb.VolumeMark) (out sdk.VolumeMark, err error) {
	if m == nil {
		return out, nil
	}
	if m.UntilNsec >= 1e9 {
		return out, errors.New("nanoseconds of a volume mark out of range")
	}
	out.Since = nativeFromWire(m.Since)
	out.Until = sdk.Time{Sec: m.UntilSec, Nsec: m.UntilNsec}
	out.Volume, err = uuidFromWire(m.Volume)
	return out, err
}
