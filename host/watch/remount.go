package watch

import (
	"errors"
	"time"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/localfs"
)

// remounted looks whether other filesystems are mounted at the primary. Those in the
// tree are heard of, if it goes on there, before all is looked at. told says that the
// kernel told of a change of the table.
func (d *Detector) remounted(told bool) error {
	d.hearing.Lock()
	defer d.hearing.Unlock()
	select {
	case <-d.ended:
		return nil
	default:
	}
	changed, err := d.mounts.changed()
	if err != nil {
		return err
	}
	if !changed && !told && d.restless.IsZero() {
		return nil
	}
	// Should one have come in the place of another, the table may be as it was.
	news, err := d.span()
	if err != nil {
		return err
	}
	if changed || news {
		d.log.Debug("other filesystems are mounted at the primary")
		d.tell(nil, true)
	}
	return nil
}

// spanTries is how often mounts may be found moved before that is left to the next
// look, and spanPatience for how long before the ear cannot go on.
const (
	spanTries    = 5
	spanPatience = time.Minute
)

// span has the ear hear of what is mounted in the tree, if that goes on there. news
// says that events may have been missed. So it does while mounts come and go faster
// than they can be opened: each look that this leads to is followed by another try.
func (d *Detector) span() (news bool, err error) {
	if !d.crosses {
		return false, nil
	}
	for range spanTries {
		fresh, err := d.spanOnce()
		if !errors.Is(err, errMoved) {
			news = news || fresh || !d.restless.IsZero()
			d.restless = time.Time{}
			return news, err
		}
		news = true
		if _, err := d.mounts.changed(); err != nil {
			return news, err
		}
	}
	now := time.Now()
	if d.restless.IsZero() {
		d.restless = now
	}
	if now.Sub(d.restless) > spanPatience {
		return news, errMoved
	}
	return news, nil
}

func (d *Detector) spanOnce() (news bool, err error) {
	places, err := d.mounts.places()
	if err != nil {
		return false, err
	}
	return d.ear.span(func(f func(place, *localfs.Dir) error) error {
		for _, p := range places {
			if err := d.visit(p, f); err != nil {
				return err
			}
		}
		return nil
	})
}

// visit calls f with a place while that is open.
func (d *Detector) visit(p place, f func(place, *localfs.Dir) error) error {
	dir, err := p.open(d.root)
	if sdk.KindOf(err) == sdk.KindPermission {
		return nil // nor can it be listed; who needs the right has inotify, which goes by lists
	}
	if err != nil {
		return err
	}
	defer dir.Close()
	return f(p, dir)
}
