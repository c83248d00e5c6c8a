package gluster

import (
	"context"
	"time"

	"golang.org/x/sys/unix"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/localfs"
)

// primary is what is special about a volume as a source.
type primary struct {
	*mount
	set    settings
	volume sdk.UUID
	xtime  string // attribute
}

// whole fails if a part of the volume is not there.
func (m *mount) whole() error {
	b, err := readBricks(m.tree(), m.volume)
	if err != nil {
		return err
	}
	return b.err()
}

// guardBricks fails if a part of the volume is not there, and again if it was not
// in between. An earlier look serves as the first one: what came or went since
// shows in the second.
func (m *mount) guardBricks() (again func() error, err error) {
	look := func() (*bricks, error) {
		b, err := readBricks(m.tree(), m.volume)
		if err != nil {
			return nil, err
		}
		m.seen.Store(&b)
		return &b, b.err()
	}
	before := m.seen.Load()
	if before == nil || len(before.down) > 0 {
		if before, err = look(); err != nil {
			return nil, err
		}
	}
	return func() error {
		after, err := look()
		if err != nil {
			return err
		}
		if after.gen != before.gen || after.count != before.count {
			return &sdk.Error{Kind: sdk.KindTransient, Op: "look at the bricks", Msg: "bricks came or went meanwhile"}
		}
		return nil
	}, nil
}

// guard is asked before and after each listing.
func (p *primary) guard(d *localfs.Dir) (func() error, error) {
	bricks, err := p.guardBricks()
	if err != nil {
		return nil, err
	}
	again := func() error {
		if err := readXTime(d, p.xtime); err != nil {
			return err
		}
		return bricks()
	}
	return again, again()
}

// mark reads the volume's mark, which must still be that of the volume that was
// opened.
func (p *primary) mark() (sdk.VolumeMark, error) {
	m, err := volumeMark(p.place.mount())
	if err != nil {
		return m, markError(p.address, err)
	}
	if m.Volume != p.volume {
		return m, &sdk.Error{Kind: sdk.KindChanged, Op: "read volume mark", Msg: "the volume was " + p.volume.String() + " and is now " + m.Volume.String()}
	}
	return m, nil
}

func (p *primary) identity(_ context.Context, found sdk.Identity) (sdk.Identity, error) {
	if err := p.check(); err != nil {
		return found, err
	}
	if _, err := p.mark(); err != nil {
		return found, err
	}
	found.Filesystem = "gluster:" + p.volume.String()
	return found, nil
}

// cacheAge is how long a mount may show attributes and data as they were: its
// caches keep both for a second. Xtimes and names are never cached.
const cacheAge = 1200 * time.Millisecond

// beacon reads this machine's clock: changes are stamped by the clocks of the
// machines that make them.
func (p *primary) beacon(context.Context) (sdk.Beacon, error) {
	m, err := p.mark()
	if err != nil {
		return sdk.Beacon{}, err
	}
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_REALTIME, &ts); err != nil {
		return sdk.Beacon{}, sdk.NewError("read clock", "", err)
	}
	return sdk.Beacon{Now: sdk.Time{Sec: ts.Sec, Nsec: uint32(ts.Nsec)}, Window: p.set.skew + cacheAge, Index: m}, nil
}
