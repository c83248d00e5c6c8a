package localtree

import (
	"context"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/localfs"
)

// Apply implements sdk.Target.
func (g *target) Apply(ctx context.Context, ops []sdk.Op) ([]sdk.OpResult, error) {
	ctx, leave, err := g.enter(ctx, "apply")
	if err != nil {
		return nil, err
	}
	defer leave()
	a := newApplier(g)
	defer a.close()
	out := make([]sdk.OpResult, len(ops))
	var unsafe []error
	if g.set.FsyncRenamed > 0 {
		unsafe = g.fsyncRenamed(ctx, ops)
	}
	for i := 0; i < len(ops); i++ {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if n := placed(ops[i:]); n > 0 {
			g.place(ctx, ops[i:i+n], out[i:i+n])
			i += n - 1
			continue
		}
		if unsafe != nil && unsafe[i] != nil {
			out[i].Err = sdk.NewError(ops[i].Kind.String(), ops[i].Path, unsafe[i])
			continue
		}
		out[i] = a.one(ctx, &ops[i])
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return out, nil
}

// applier does the operations of one call.
type applier struct {
	*target
	to, from parents
}

func newApplier(g *target) *applier {
	return &applier{target: g, to: parents{root: g.root}, from: parents{root: g.root}}
}

func (a *applier) close() {
	a.to.close()
	a.from.close()
}

// one does an operation, if it is a valid one.
func (a *applier) one(ctx context.Context, op *sdk.Op) sdk.OpResult {
	if err := op.Validate(); err != nil {
		return sdk.OpResult{Err: &sdk.Error{Kind: sdk.KindInput, Op: "apply", Msg: err.Error()}}
	}
	lost, err := a.do(ctx, op)
	return sdk.OpResult{Lost: lost, Err: sdk.NewError(op.Kind.String(), op.Path, err)}
}

func (a *applier) do(ctx context.Context, op *sdk.Op) (sdk.Lost, error) {
	if op.Path == sdk.Root {
		return a.root0(op)
	}
	if op.Kind == sdk.OpRemoveTree || op.Kind == sdk.OpRename {
		a.forget(op.Path)
		a.forget(op.From)
	}
	d, name, err := a.to.of(op.Path)
	if err == nil {
		err = a.writeTo(d)
	}
	if err != nil {
		if sdk.KindOf(err) == sdk.KindNotExist && (op.Kind == sdk.OpRemove || op.Kind == sdk.OpRemoveTree) {
			return 0, nil
		}
		return 0, err
	}
	switch op.Kind {
	case sdk.OpMkdir:
		return 0, mkdir(d, name)
	case sdk.OpSymlink:
		return a.make(d, name, op, func(temp string) error { return d.Symlink(op.Target, temp) })
	case sdk.OpMknod:
		return a.make(d, name, op, func(temp string) error { return d.Mknod(temp, op.Type, op.Major, op.Minor) })
	case sdk.OpLink:
		return 0, a.link(op.From, d, name)
	case sdk.OpRename:
		from, old, err := a.source(op.From)
		if err != nil {
			return 0, err
		}
		if err := a.writeTo(from); err != nil {
			return 0, err
		}
		return 0, from.Rename(old, d, name)
	case sdk.OpRemove:
		if err := d.Unlink(name); err != nil && sdk.KindOf(err) != sdk.KindNotExist {
			return 0, err
		}
		return 0, nil
	case sdk.OpRemoveTree:
		return 0, d.RemoveTree(ctx, name)
	case sdk.OpSetMeta:
		return d.SetMeta(name, &op.Meta)
	default: // OpSetMark, as Validate has seen
		return 0, a.setMark(op)
	}
}

// root0 does what can be done to the root itself.
func (a *applier) root0(op *sdk.Op) (sdk.Lost, error) {
	switch op.Kind {
	case sdk.OpSetMeta:
		d, err := a.root.OpenPath(sdk.Root)
		if err != nil {
			return 0, err
		}
		defer d.Close()
		return d.SetOwnMeta(&op.Meta)
	case sdk.OpSetMark:
		return 0, a.setMark(op)
	case sdk.OpSetVolumeMark:
		return 0, a.setVolumeMark(op)
	}
	return 0, nil // OpMkdir: it is there
}

// source returns the directory of an operation's other path.
func (a *applier) source(p sdk.Path) (*localfs.Dir, string, error) {
	if a.to.dir != nil && p.Dir() == a.to.path {
		return a.to.of(p)
	}
	return a.from.of(p)
}

func (a *applier) forget(p sdk.Path) {
	if p != "" {
		a.to.forget(p)
		a.from.forget(p)
	}
}

func mkdir(d *localfs.Dir, name string) error {
	err := d.Mkdir(name, 0o700)
	if err == nil || sdk.KindOf(err) != sdk.KindChanged {
		return err
	}
	e, serr := d.Lstat(name)
	if serr == nil && e.Type == sdk.TypeDir {
		return nil
	}
	return err
}

// make makes an entry under a name of ours, completes it, and puts it in its
// place.
func (a *applier) make(d *localfs.Dir, name string, op *sdk.Op, create func(temp string) error) (sdk.Lost, error) {
	temp := a.tempName()
	if err := create(temp); err != nil {
		return 0, err
	}
	lost, err := d.SetMeta(temp, &op.Meta)
	if err == nil {
		err = d.Rename(temp, d, name)
	}
	if err != nil {
		// If that fails too, the name says that it is ours to remove.
		_ = d.Unlink(temp)
	}
	return lost, err
}

func (a *applier) link(fromPath sdk.Path, d *localfs.Dir, name string) error {
	from, old, err := a.source(fromPath)
	if err != nil {
		return err
	}
	err = from.Link(old, d, name)
	if err == nil || sdk.KindOf(err) != sdk.KindChanged {
		return err
	}
	temp := a.tempName()
	if err := from.Link(old, d, temp); err != nil {
		return err
	}
	if err := d.Rename(temp, d, name); err != nil {
		_ = d.Unlink(temp)
		return err
	}
	return nil
}

func (a *applier) setMark(op *sdk.Op) error {
	if a.markAttr == "" {
		return &sdk.Error{Kind: sdk.KindUnsupported, Op: "set mark", Path: op.Path}
	}
	d, err := a.root.OpenPath(op.Path)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := a.writeTo(d); err != nil {
		return err
	}
	m, done, err := a.beside(d)
	if err != nil {
		return err
	}
	defer done()
	if a.native != "" {
		var native []byte // none: what was there says nothing any more
		if !op.Native.IsZero() {
			native, _ = op.Native.AppendBinary(nil)
		}
		// Before the mark: where that is absent the native xtime counts.
		if err := m.SetXattr(a.native, native); err != nil {
			return err
		}
	}
	return m.SetXattr(a.markAttr, op.Mark)
}

func (a *applier) setVolumeMark(op *sdk.Op) error {
	if a.info.Features&sdk.KeepsVolumeMark == 0 {
		return &sdk.Error{Kind: sdk.KindUnsupported, Op: "set volume mark"}
	}
	d, err := a.root.OpenPath(sdk.Root)
	if err != nil {
		return err
	}
	defer d.Close()
	m, done, err := a.beside(d)
	if err != nil {
		return err
	}
	defer done()
	return a.set.SetVolumeMark(m, op.VolumeMark)
}
