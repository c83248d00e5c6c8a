package localtree

import (
	"context"
	"time"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/localfs"
)

// Scan implements sdk.Resource.
func (t *tree) Scan(ctx context.Context, req sdk.ScanRequest, sink sdk.ScanSink) error {
	ctx, leave, err := t.enter(ctx, "scan")
	if err != nil {
		return err
	}
	defer leave()
	if t.set.Jobs > 1 && len(req.Dirs) > 1 {
		return t.scanParallel(ctx, req, sink)
	}
	for i, p := range req.Dirs {
		if err := t.list(ctx, i, p, req.Fields, sink); err != nil {
			return err
		}
	}
	return nil
}

// cancelEvery is how many entries are described between two looks at the
// context.
const cancelEvery = 128

// guardEvery is how long a listing goes on without asking whether all of the
// directory can be seen.
const guardEvery = time.Second

// list sends one directory to a sink. Its error is the sink's or the context's.
func (t *tree) list(ctx context.Context, i int, p sdk.Path, fields sdk.Fields, sink sdk.ScanSink) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	d, err := t.root.OpenDir(p)
	if err != nil {
		return sink.EndDir(i, sdk.NewError("list", p, err))
	}
	defer d.Close()
	m, done, err := t.looks(d, fields)
	if err != nil {
		return sink.EndDir(i, sdk.NewError("list", p, err))
	}
	defer done()
	again, err := t.guard(m)
	if err != nil {
		return sink.EndDir(i, sdk.NewError("list", p, err))
	}
	self, err := d.Stat()
	if err != nil {
		return sink.EndDir(i, sdk.NewError("list", p, err))
	}
	self.Mount = !t.set.CrossMounts && d.Place() != t.root.Place()
	if t.wantsNative(&self, fields) {
		err = t.readNative(m, &self)
	}
	if err == nil {
		err = t.describe(d, &self, fields)
	}
	if err != nil {
		return sink.EndDir(i, sdk.NewError("list", p, err))
	}
	if err := sink.BeginDir(i, &self); err != nil {
		return err
	}
	if self.Mount {
		return sink.EndDir(i, nil)
	}
	asked := time.Now()
	names, err := d.ReadNames()
	if err != nil {
		return sink.EndDir(i, sdk.NewError("list", p, err))
	}
	var e sdk.Entry
	for n := range names.Len() {
		if n%cancelEvery == 0 {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if time.Since(asked) > guardEvery {
				if err := again(); err != nil {
					return sink.EndDir(i, sdk.NewError("list", p, err))
				}
				asked = time.Now()
			}
		}
		if p == sdk.Root && t.set.Hidden != nil && t.set.Hidden(names.At(n)) {
			continue
		}
		err := t.row(d, names, n, fields, &e)
		if err == nil && t.wantsNative(&e, fields) {
			err = t.readNative(m, &e)
		}
		if err != nil {
			if sdk.KindOf(err) == sdk.KindNotExist {
				continue // gone since the names were read
			}
			e = sdk.Entry{Name: names.At(n), Err: sdk.NewError("stat", p.Join(names.At(n)), err)}
		}
		if err := sink.Entry(&e); err != nil {
			return err
		}
	}
	return sink.EndDir(i, sdk.NewError("list", p, again()))
}

// looks opens d beside, where that is needed to list it.
func (t *tree) looks(d *localfs.Dir, fields sdk.Fields) (*localfs.Dir, func(), error) {
	if t.set.Guard == nil && (t.native == "" || fields&(sdk.FieldNative|sdk.FieldEntryNative) == 0) {
		return d, func() {}, nil
	}
	return t.beside(d)
}

// guard asks whether all of m can be seen, and so does again.
func (t *tree) guard(m *localfs.Dir) (again func() error, err error) {
	if t.set.Guard == nil {
		return func() error { return nil }, nil
	}
	return t.set.Guard(m)
}

func (t *tree) row(d *localfs.Dir, names *localfs.Names, n int, fields sdk.Fields, e *sdk.Entry) error {
	place, err := d.LstatAt(names, n, e)
	if err != nil {
		return err
	}
	if e.Type == sdk.TypeDir && place != d.Place() && !t.set.CrossMounts {
		e.Mount = true
	}
	if fields&sdk.FieldXattrs != 0 {
		if e.Xattrs, err = d.XattrsAt(names, n); err != nil {
			return err
		}
	}
	return t.describe(d, e, fields&^sdk.FieldXattrs)
}
