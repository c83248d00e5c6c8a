package localtree

import (
	"errors"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/localfs"
)

// openMarks opens the tree's root where marks are set.
func (t *tree) openMarks(open func(string) (*localfs.Root, error)) error {
	if t.set.Marks == "" {
		return nil
	}
	r, err := open(t.set.Marks)
	if err != nil {
		return err
	}
	t.marks = r
	d, err := t.root.OpenPath(sdk.Root)
	if err != nil {
		return err
	}
	defer d.Close()
	_, done, err := t.beside(d)
	if err == nil {
		done()
	}
	return err
}

func (t *tree) closeRoots() error {
	t.ways.close()
	if t.marks == t.root {
		return t.root.Close()
	}
	return errors.Join(t.root.Close(), t.marks.Close())
}

// beside returns an open directory as marks are set on it, until done is called.
// What has that path by now may be another: then it is KindChanged.
func (t *tree) beside(d *localfs.Dir) (m *localfs.Dir, done func(), err error) {
	if t.marks == t.root {
		return d, func() {}, nil
	}
	id, err := d.ID()
	if err != nil {
		return nil, nil, err
	}
	if m, err = t.besideOf(d.Path(), id); err != nil {
		return nil, nil, err
	}
	return m, func() { m.Close() }, nil
}

// besideOf opens the directory with that identity. The way there is short where
// the last one led to a sibling; where that leads to another directory, or
// nowhere, the whole of it is gone again.
func (t *tree) besideOf(p sdk.Path, id sdk.FileID) (*localfs.Dir, error) {
	if p != sdk.Root {
		if m, err := t.besideParent(p, id); err == nil {
			return m, nil
		}
	}
	m, err := t.marks.OpenPath(p)
	if err != nil {
		return nil, err
	}
	if err := checkID(m, id); err != nil {
		return nil, err
	}
	return m, nil
}

// besideParent goes to p from the directory above it, if that is open still.
func (t *tree) besideParent(p sdk.Path, id sdk.FileID) (m *localfs.Dir, err error) {
	up := t.ways.take(p.Dir())
	if up == nil {
		if up, err = t.marks.OpenPath(p.Dir()); err != nil {
			return nil, err
		}
	}
	if m, err = up.OpenPath(p.Base()); err == nil {
		err = checkID(m, id)
	}
	if err != nil {
		up.Close()
		return nil, err
	}
	t.ways.give(up)
	return m, nil
}

// checkID closes m if it is another directory.
func checkID(m *localfs.Dir, id sdk.FileID) error {
	have, err := m.ID()
	if err == nil && have != id {
		err = &sdk.Error{Kind: sdk.KindChanged, Op: "open", Path: m.Path(), Msg: "the directory was replaced meanwhile"}
	}
	if err != nil {
		m.Close()
	}
	return err
}

// readNative gives an entry its native xtime. m is the open directory that it is
// in, beside; the entry "." is the directory itself. A part of the storage that is
// not there is an error, and not "none"; but what is no directory may be without for
// many reasons (Gluster says EINVAL where a replica has none), and can do without.
func (t *tree) readNative(m *localfs.Dir, e *sdk.Entry) error {
	v, err := m.Xattr(e.Name, t.native)
	if err != nil && e.Type != sdk.TypeDir {
		return nil
	}
	if err == nil && len(v) == sdk.NativeXTimeSize {
		e.Native = sdk.NativeXTimeFrom(v)
	}
	return err
}
