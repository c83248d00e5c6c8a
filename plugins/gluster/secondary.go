package gluster

import (
	"context"
	"crypto/rand"
	"errors"

	"golang.org/x/sys/unix"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/localfs"
)

// fsyncJobs is how many files are made durable at once: the bricks put those
// that come together into one write of their journal.
const fsyncJobs = 32

// idAttr on the root of a secondary names the volume, since one without an index
// does not say its UUID.
const idAttr = "user." + sdk.ReservedXattr + "volume"

// secondary is what is special about a volume as a target.
type secondary struct {
	*mount
	id      sdk.UUID
	lock    *volumeLock
	barrier *barrier
}

func (s *secondary) close() {
	s.barrier.close()
	s.lock.release()
	s.mount.close()
}

func (s *secondary) guard(*localfs.Dir) (func() error, error) { return s.guardBricks() }

func (s *secondary) identity(_ context.Context, found sdk.Identity) (sdk.Identity, error) {
	if err := s.check(); err != nil {
		return found, err
	}
	id, err := readID(s.place.mount())
	if err != nil {
		return found, err
	}
	if id != s.id {
		return found, &sdk.Error{Kind: sdk.KindChanged, Op: "identify volume " + s.volume, Msg: "it was " + s.id.String() + " and is now " + id.String()}
	}
	if err := s.lock.check(); err != nil {
		return found, err
	}
	found.Filesystem = "gluster:" + id.String()
	return found, nil
}

// targetID returns by what a volume is known. The first time that is its UUID,
// where that can be had, and it stays what it was then.
func targetID(ctx context.Context, m *mount, set settings) (sdk.UUID, error) {
	id, err := readID(m.place.mount())
	if err != nil || !id.IsZero() {
		return id, err
	}
	mark, err := volumeMark(m.place.mount())
	switch {
	case err == nil:
		id = mark.Volume
	case errors.Is(err, errNotIndexed):
		if id = cliUUID(ctx, set.cli, m.address); id.IsZero() {
			_, _ = rand.Read(id[:])
		}
	default:
		return id, markError(m.address, err)
	}
	if err := unix.Setxattr(m.place.mount(), idAttr, []byte(id.String()), 0); err != nil {
		return id, sdk.NewError("name the volume on its root", "", err)
	}
	kept, err := readID(m.place.mount())
	if err == nil && kept != id {
		err = &sdk.Error{Kind: sdk.KindUnsupported, Op: "name the volume on its root", Msg: "the volume keeps no attributes of the space user"}
	}
	return id, err
}

// readID reads the name that a secondary was given, zero if it has none.
func readID(mnt string) (sdk.UUID, error) {
	var b [64]byte
	n, err := unix.Getxattr(mnt, idAttr, b[:])
	if err == unix.ENODATA {
		return sdk.UUID{}, nil
	}
	if err != nil {
		return sdk.UUID{}, sdk.NewError("read the volume's name on its root", "", err)
	}
	u, err := sdk.ParseUUID(string(b[:n]))
	if err != nil {
		return u, &sdk.Error{Kind: sdk.KindInput, Op: "read the volume's name on its root", Msg: "the attribute " + idAttr + " of the root is no UUID: remove it"}
	}
	return u, nil
}
