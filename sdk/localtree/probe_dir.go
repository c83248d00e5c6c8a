package localtree

import (
	"bytes"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/localfs"
)

// probeDir finds out what directories can keep, on one of ours in the root whose
// time is put back.
func (t *tree) probeDir(root *localfs.Dir, o *Options) (sdk.Features, error) {
	const name = sdk.ReservedPrefix + "probe-dir"
	before, err := root.Stat()
	if err != nil {
		return 0, err
	}
	if err := root.Mkdir(name, 0o700); err != nil && sdk.KindOf(err) != sdk.KindChanged {
		return 0, err
	}
	d, err := root.OpenDir(name)
	if err != nil {
		return 0, err
	}
	m, done, err := t.beside(d)
	if err != nil {
		d.Close()
		return 0, err
	}
	var f sdk.Features
	if !o.Volume.IsZero() {
		x := sdk.NativeXTime{Sec: 1e9, Usec: 123456}
		value, _ := x.AppendBinary(nil)
		err := m.SetXattr(nativeAttr(o.Volume), value)
		if got, gerr := m.Xattr(".", nativeAttr(o.Volume)); err == nil && gerr == nil && bytes.Equal(got, value) {
			f |= sdk.HasNative
		}
	}
	if o.SetVolumeMark != nil {
		mark := sdk.VolumeMark{Volume: sdk.UUID{1}, Since: sdk.NativeXTime{Sec: 1e9}, Until: sdk.Time{Sec: 1e9}}
		if o.SetVolumeMark(m, mark) == nil {
			f |= sdk.KeepsVolumeMark
		}
	}
	done()
	d.Close()
	// What is left behind is ours by its name: the host removes it.
	if root.Rmdir(name) == nil {
		meta := sdk.MetaOf(&before, sdk.MetaMtime)
		_, _ = root.SetOwnMeta(&meta)
	}
	return f, nil
}
