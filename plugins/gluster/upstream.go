package gluster

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/localfs"
)

// namesAttr on the root lists the volumes whose marks are there: a mount gives a
// foreign mark to who knows its name, but does not list it.
const namesAttr = "user." + sdk.ReservedXattr + "volumes"

// maxNames bounds the list: what is more is not ours.
const maxNames = 32

// names reads the list of an open directory. What is no UUID is left out: the list
// is a hint where to look.
func names(d *localfs.Dir) ([]sdk.UUID, error) {
	b, err := d.Xattr(".", namesAttr)
	if err != nil {
		return nil, err
	}
	return parseNames(b), nil
}

func parseNames(b []byte) []sdk.UUID {
	var out []sdk.UUID
	for _, word := range strings.Fields(string(b)) {
		if u, err := sdk.ParseUUID(word); err == nil && !u.IsZero() && len(out) < maxNames && !slices.Contains(out, u) {
			out = append(out, u)
		}
	}
	return out
}

// addName puts a volume into the list, and takes those out whose marks hold no
// more.
func addName(d *localfs.Dir, volume sdk.UUID) error {
	was, err := names(d)
	if err != nil {
		return err
	}
	now := []sdk.UUID{volume}
	for _, u := range was {
		b, err := d.Xattr(".", foreignAttr(u))
		if err != nil {
			return err
		}
		if m, err := parseForeign(b, u); u != volume && (err != nil && len(b) > 0 || err == nil && holds(m, time.Now())) {
			now = append(now, u)
		}
	}
	slices.SortFunc(now, func(a, b sdk.UUID) int { return strings.Compare(string(a[:]), string(b[:])) })
	if slices.Equal(was, now) {
		return nil
	}
	words := make([]string, len(now))
	for i, u := range now {
		words[i] = u.String()
	}
	return d.SetXattr(namesAttr, []byte(strings.Join(words, " ")))
}

// foreignAttr is where another volume's mark is.
func foreignAttr(volume sdk.UUID) string { return markAttr + "." + volume.String() }

// parseForeign reads another volume's mark.
func parseForeign(b []byte, volume sdk.UUID) (sdk.VolumeMark, error) {
	if len(b) != foreignSize {
		return sdk.VolumeMark{}, fmt.Errorf("a volume mark of %d bytes", len(b))
	}
	m, err := parseMark(b[:markSize])
	if err == nil && m.Volume != volume {
		err = fmt.Errorf("a volume mark of %s", m.Volume)
	}
	m.Until = sdk.Time{Sec: int64(binary.BigEndian.Uint32(b[markSize:]))}
	return m, err
}

// holds reports whether a foreign mark has not expired.
func holds(m sdk.VolumeMark, now time.Time) bool { return now.Unix() < m.Until.Sec }

// upstream returns the mark of the volume that own is the secondary of, none if
// there is no such mark that holds. named is one that the list need not have.
func (m *mount) upstream(own, named sdk.UUID) (sdk.VolumeMark, error) {
	const op = "read the upstream's volume mark"
	b, err := rootXattr(m.place.mount(), namesAttr)
	if err != nil {
		return sdk.VolumeMark{}, sdk.NewError(op, "", err)
	}
	all := parseNames(b)
	if !named.IsZero() && !slices.Contains(all, named) {
		all = append(all, named)
	}
	var found sdk.VolumeMark
	for _, u := range all {
		if u == own {
			continue
		}
		b, err := rootXattr(m.place.mount(), foreignAttr(u))
		if err != nil {
			return found, sdk.NewError(op, "", err)
		}
		if len(b) == 0 {
			continue
		}
		mark, err := parseForeign(b, u)
		switch {
		case err == nil && !holds(mark, time.Now()):
		case err != nil:
			return found, &sdk.Error{Kind: sdk.KindUnsupported, Op: op, Msg: "volume " + m.volume + " has, of the volume " + u.String() + ", " + err.Error()}
		case !found.IsZero():
			return found, &sdk.Error{Kind: sdk.KindUnsupported, Op: op, Msg: fmt.Sprintf("volume %s is the secondary of two volumes, %s and %s: end one of the mirrors into it; it counts for two minutes more", m.volume, found.Volume, mark.Volume)}
		default:
			found = mark
		}
	}
	return found, nil
}

// begun fails as long as the upstream's mirror has not brought everything once.
func (m *mount) begun(upstream sdk.UUID) error {
	const op = "wait for the upstream"
	b, err := rootXattr(m.place.mount(), xtimeAttr(upstream))
	if err != nil {
		return sdk.NewError(op, "", err)
	}
	if len(b) != sdk.NativeXTimeSize {
		return &sdk.Error{Kind: sdk.KindTransient, Op: op, Msg: "volume " + m.volume + " waits for its upstream, the volume " + upstream.String() + ", whose mirror has not brought everything yet"}
	}
	return nil
}

// rootXattr reads an attribute of the root, nothing if it has none.
func rootXattr(mnt, name string) ([]byte, error) {
	b := make([]byte, 4096)
	n, err := unix.Lgetxattr(mnt, name, b)
	switch err {
	case nil:
		return b[:n], nil
	case unix.ENODATA:
		return nil, nil
	}
	return nil, err
}
