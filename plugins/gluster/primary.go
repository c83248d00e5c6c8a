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
	xtime  string         // attribute of the volume's own
	index  sdk.VolumeMark // whose xtimes count: the volume's own, or its upstream's
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

// guard is asked before and after each listing. The volume mark comes first of
// all: from it the mount learns whose xtime it is asked for. The native xtime is
// read right after, where it counts, and in any case at the end.
func (p *primary) guard(d *localfs.Dir) (func() error, error) {
	bricks, err := p.guardBricks()
	if err != nil {
		return nil, err
	}
	if err := readMark(d); err != nil {
		return nil, err
	}
	again := func() error {
		if err := readXTime(d, p.xtime); err != nil {
			return err
		}
		return bricks()
	}
	return again, bricks()
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

// findIndex says whose xtimes count, given the volume's own mark: those of its
// upstream, as long as a mirror writes to the volume, since that marks nothing.
func (p *primary) findIndex(own sdk.VolumeMark) (sdk.VolumeMark, error) {
	up, err := p.upstream(own.Volume, p.set.upstream)
	if err != nil || up.IsZero() {
		return own, err
	}
	up.Until = sdk.Time{} // who mirrors this renews it for the next
	return up, nil
}

// current is findIndex while the volume is open: it must remain what it was found
// to be then.
func (p *primary) current() (sdk.VolumeMark, error) {
	own, err := p.mark()
	if err != nil {
		return own, err
	}
	now, err := p.findIndex(own)
	if err != nil || now.Volume == p.index.Volume {
		return now, err
	}
	e := &sdk.Error{Kind: sdk.KindChanged, Op: "read volume mark"}
	switch {
	case p.index.Volume == p.volume:
		e.Msg = "volume " + p.address.volume + " has become the secondary of the volume " + now.Volume.String() + ", whose xtimes count from now on"
	case now.Volume == p.volume:
		e.Msg = "the mirror from the volume " + p.index.Volume.String() + " to volume " + p.address.volume + " has ended: its own xtimes count from now on"
	default:
		e.Msg = "volume " + p.address.volume + " was the secondary of the volume " + p.index.Volume.String() + " and is now that of " + now.Volume.String()
	}
	return now, e
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
	m, err := p.current()
	if err != nil {
		return sdk.Beacon{}, err
	}
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_REALTIME, &ts); err != nil {
		return sdk.Beacon{}, sdk.NewError("read clock", "", err)
	}
	return sdk.Beacon{Now: sdk.Time{Sec: ts.Sec, Nsec: uint32(ts.Nsec)}, Window: p.set.skew + cacheAge, Index: m}, nil
}
