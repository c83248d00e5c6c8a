package localtree

import (
	"context"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/localfs"
)

// Stat implements sdk.Resource.
func (t *tree) Stat(ctx context.Context, paths []sdk.Path, fields sdk.Fields) ([]sdk.Entry, error) {
	ctx, leave, err := t.enter(ctx, "stat")
	if err != nil {
		return nil, err
	}
	defer leave()
	c := parents{root: t.root}
	defer c.close()
	out := make([]sdk.Entry, len(paths))
	for i, p := range paths {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := t.statOne(&c, p, fields, &out[i]); err != nil {
			out[i] = sdk.Entry{Name: p.Base(), Err: sdk.NewError("stat", p, err)}
		}
	}
	return out, nil
}

func (t *tree) statOne(c *parents, p sdk.Path, fields sdk.Fields, e *sdk.Entry) error {
	if p == sdk.Root {
		d, err := t.root.OpenPath(p)
		if err != nil {
			return err
		}
		defer d.Close()
		if *e, err = d.Stat(); err != nil {
			return err
		}
		return t.describeAll(d, e, fields)
	}
	d, name, err := c.of(p)
	if err != nil {
		return err
	}
	entry, place, err := d.LstatPlace(name)
	if err != nil {
		return err
	}
	*e = entry
	e.Mount = e.Type == sdk.TypeDir && place != d.Place() && !t.set.CrossMounts
	return t.describeAll(d, e, fields)
}

// describeAll describes a single entry of d.
func (t *tree) describeAll(d *localfs.Dir, e *sdk.Entry, fields sdk.Fields) error {
	if t.wantsNative(e, fields) {
		m, done, err := t.beside(d)
		if err != nil {
			return err
		}
		defer done()
		if err := t.readNative(m, e); err != nil {
			return err
		}
	}
	return t.describe(d, e, fields)
}
