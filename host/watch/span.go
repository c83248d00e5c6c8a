package watch

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/localfs"
)

// place is where a tree goes on in what is mounted below its root.
type place struct {
	path  sdk.Path
	mount uint64 // its id
}

// visits calls a function with one place after the other, which is open meanwhile and
// no longer: until it is closed nobody can unmount it.
type visits func(func(place, *localfs.Dir) error) error

// open opens each, to see that it can be.
func (v visits) open() error { return v(func(place, *localfs.Dir) error { return nil }) }

// errMoved says that a place is not where the table of mounts had it a moment ago.
// A directory above it that is renamed does that, without a word.
var errMoved = errors.New("what is mounted in the primary is moved about all the time")

// open opens a place, for work on its entries. As long as it is open nobody can
// unmount it.
func (p *place) open(root *localfs.Root) (*localfs.Dir, error) {
	d, err := root.OpenPath(p.path)
	switch {
	case sdk.KindOf(err) == sdk.KindNotExist:
		return nil, errMoved
	case sdk.KindOf(err) == sdk.KindChanged:
		return nil, fmt.Errorf("%s in the primary is mounted and no directory: what changes it by another name raises no event here", p.path)
	case err != nil:
		return nil, err
	case d.Place().Mount != p.mount:
		d.Close()
		return nil, errMoved
	}
	return d, nil
}

// places gives the mounts in which the tree goes on, if events can tell of all that
// changes there.
func (m *mounts) places() ([]place, error) {
	below, err := spanned(m.now, m.own, m.path)
	if err != nil {
		return nil, err
	}
	var out []place
	for _, b := range below {
		out = append(out, place{sdk.Path(strings.TrimPrefix(strings.TrimPrefix(b.at, m.path), "/")), b.id})
	}
	return out, nil
}

// spanned gives the mounts of a table that are seen in the tree at dir, which lies on
// a mount of its own.
func spanned(table []mount, own uint64, dir string) ([]mount, error) {
	i := slices.IndexFunc(table, func(m mount) bool { return m.id == own })
	if i < 0 {
		return nil, errors.New("the primary's mount is not in " + mountTable)
	}
	on := map[uint64][]mount{}
	for _, m := range table {
		if m.id != m.parent {
			on[m.parent] = append(on[m.parent], m)
		}
	}
	below := visible(on, own, dir)
	root := table[i]
	root.from, root.at = path.Join(root.from, strings.TrimPrefix(dir, root.at)), dir
	seen := map[string][]mount{root.dev: {root}}
	for _, m := range below {
		if !(localfs.FS{Type: m.kind}).Local() {
			return nil, fmt.Errorf("%s is in the primary: on a filesystem of type %s others can make changes of which this machine's kernel does not tell", m.at, m.kind)
		}
		for _, s := range seen[m.dev] {
			if within(m.from, s.from) || within(s.from, m.from) {
				return nil, fmt.Errorf("%s and %s show the same directories, and an event does not say in which of the two they changed", s.at, m.at)
			}
		}
		seen[m.dev] = append(seen[m.dev], m)
	}
	return below, nil
}

// visible gives the mounts that are seen below a directory of a mount: what is mounted
// there and not covered by others, with all below it. on are the mounts of a table by
// what they are mounted on.
func visible(on map[uint64][]mount, id uint64, dir string) []mount {
	var in, out []mount
	at := map[string]bool{}
	for _, m := range on[id] {
		if m.at != dir && within(m.at, dir) {
			in, at[m.at] = append(in, m), true
		}
	}
	for _, m := range in {
		above := path.Dir(m.at)
		for above != dir && !at[above] {
			above = path.Dir(above)
		}
		if above != dir {
			continue
		}
		m = top(on, m)
		out = append(append(out, m), visible(on, m.id, m.at)...)
	}
	return out
}

// top gives what is mounted last in the place of m.
func top(on map[uint64][]mount, m mount) mount {
	for {
		i := slices.IndexFunc(on[m.id], func(o mount) bool { return o.at == m.at })
		if i < 0 {
			return m
		}
		m = on[m.id][i]
	}
}
