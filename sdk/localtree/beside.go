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
	e, err := d.Stat()
	if err != nil {
		return nil, nil, err
	}
	if m, err = t.besideOf(d.Path(), e.ID); err != nil {
		return nil, nil, err
	}
	return m, func() { m.Close() }, nil
}

func (t *tree) besideOf(p sdk.Path, id sdk.FileID) (*localfs.Dir, error) {
	m, err := t.marks.OpenPath(p)
	if err != nil {
		return nil, err
	}
	e, err := m.Stat()
	if err == nil && e.ID != id {
		err = &sdk.Error{Kind: sdk.KindChanged, Op: "open", Path: p, Msg: "the directory was replaced meanwhile"}
	}
	if err != nil {
		m.Close()
		return nil, err
	}
	return m, nil
}

// readNative gives an entry its native xtime. m is the open directory that it is
// in, beside; the entry "." is the directory itself. A part of the storage that is
// not there is an error, and not "none".
func (t *tree) readNative(m *localfs.Dir, e *sdk.Entry) error {
	v, err := m.Xattr(e.Name, t.native)
	if err == nil && len(v) == sdk.NativeXTimeSize {
		e.Native = sdk.NativeXTimeFrom(v)
	}
	return err
}
