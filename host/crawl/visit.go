package crawl

import "github.com/gsyncd/gsyncd-host/sdk"

// Trust says how far equal looks count in a directory.
type Trust uint8

const (
	// TrustLooks is for a directory that never was ours: a secondary filled by
	// other means. What looks the same is taken for the same, unless it changed
	// after Since, if that is known.
	TrustLooks Trust = iota
	// TrustSince is for a directory with a mark of the same primary directory:
	// what looks the same and changed before Since is the same.
	TrustSince
	// TrustNothing is for a directory that carries another's mark, and for a
	// comparison of everything: contents are compared.
	TrustNothing
)

// Visit is how a directory is looked at.
type Visit struct {
	Trust Trust
	Since sdk.Time // for TrustSince, and for TrustLooks if not zero
	// Again names entries that failed when Since was set: nothing vouches for
	// them.
	Again map[string]struct{}
	// Begun says that filling the directory began and did not end, as far as is
	// known. Its entries appear complete, but its own attributes are set last.
	Begun bool
	// Xattrs says that both listings carry extended attributes.
	Xattrs bool
}

// NewVisit judges a directory by the mark found on the secondary: raw is nil if
// there is none. now is the primary filesystem's clock; a mark that vouches for
// times to come was made before the clock was set back, and is not believed.
func NewVisit(raw []byte, dir sdk.FileID, now sdk.Time, full bool) Visit {
	if full {
		return Visit{Trust: TrustNothing}
	}
	if raw == nil {
		return Visit{Trust: TrustLooks}
	}
	m, err := DecodeMark(raw)
	if err != nil || m.Dir != dir || dir.IsZero() || m.Since.Compare(now) > 0 {
		return Visit{Trust: TrustNothing}
	}
	return Visit{Trust: TrustSince, Since: m.Since, Begun: m.XTime.IsZero()}
}

// Changed is when an entry of the primary last changed: its change time, or its
// native xtime where that is later. Gluster sets extended attributes without
// touching change times.
func Changed(e *sdk.Entry) sdk.Time {
	if x := e.Native.Time(); x.Compare(e.Ctime) > 0 {
		return x
	}
	return e.Ctime
}

// sameIfLooks reports whether equal looks settle it for the entry.
func (v Visit) sameIfLooks(e *sdk.Entry) bool {
	switch v.Trust {
	case TrustLooks:
		return v.Since.IsZero() || Changed(e).Compare(v.Since) < 0
	case TrustSince:
		if _, failed := v.Again[e.Name]; failed {
			return false
		}
		return Changed(e).Compare(v.Since) < 0
	}
	return false
}
