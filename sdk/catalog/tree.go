package catalog

import (
	"bytes"
	"context"
	"slices"
	"sort"
	"strings"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// Tree is a list of entries as a tree. It does not change but by [Tree.Carry],
// and may otherwise be used concurrently.
type Tree struct {
	nodes   []node // the root first
	objects []object
}

// node is a name.
type node struct {
	name   string
	object int32
	parent int32
	count  int32 // of kids, while the tree is built
	kids   []int32
}

// object is what one name or, with hard links, several names stand for.
type object struct {
	entry sdk.Entry
	bad   *sdk.Error // why it cannot be read
	ref   int
	names int32
}

// cancelEvery is how many entries are told between two looks at the context.
const cancelEvery = 256

// find looks a path up. What is not a directory has nothing below it.
func (t *Tree) find(p sdk.Path) (int32, *sdk.Error) {
	at := int32(0)
	if err := p.Validate(); err != nil {
		return 0, &sdk.Error{Kind: sdk.KindInput, Op: "look up", Msg: err.Error()}
	}
	if p == sdk.Root {
		return at, nil
	}
	for name := range strings.SplitSeq(string(p), "/") {
		n := &t.nodes[at]
		if t.objects[n.object].entry.Type != sdk.TypeDir {
			return 0, &sdk.Error{Kind: sdk.KindChanged, Op: "look up", Path: p, Msg: "something on the way is no directory"}
		}
		i := sort.Search(len(n.kids), func(i int) bool { return t.nodes[n.kids[i]].name >= name })
		if i == len(n.kids) || t.nodes[n.kids[i]].name != name {
			return 0, &sdk.Error{Kind: sdk.KindNotExist, Op: "look up", Path: p}
		}
		at = n.kids[i]
	}
	return at, nil
}

// describe fills e with what is at a node.
func (t *Tree) describe(at int32, fields sdk.Fields, e *sdk.Entry) {
	n := &t.nodes[at]
	*e = t.objects[n.object].entry
	e.Name = n.name
	if at == 0 {
		e.Name = "."
	}
	if fields&sdk.FieldTarget == 0 {
		e.Target = ""
	}
	if fields&sdk.FieldXattrs == 0 {
		e.Xattrs = nil
	}
}

// Scan is [sdk.Resource.Scan].
func (t *Tree) Scan(ctx context.Context, req sdk.ScanRequest, sink sdk.ScanSink) error {
	for i, p := range req.Dirs {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := t.list(ctx, i, p, req.Fields, sink); err != nil {
			return err
		}
	}
	return nil
}

func (t *Tree) list(ctx context.Context, i int, p sdk.Path, fields sdk.Fields, sink sdk.ScanSink) error {
	at, bad := t.find(p)
	if bad == nil && t.objects[t.nodes[at].object].entry.Type != sdk.TypeDir {
		bad = &sdk.Error{Kind: sdk.KindChanged, Op: "list", Path: p, Msg: "it is no directory"}
	}
	if bad != nil {
		bad.Op = "list"
		return sink.EndDir(i, bad)
	}
	var e sdk.Entry
	t.describe(at, fields, &e)
	e.Name = "."
	if err := sink.BeginDir(i, &e); err != nil {
		return err
	}
	for n, k := range t.nodes[at].kids {
		if n%cancelEvery == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		t.describe(k, fields, &e)
		if err := sink.Entry(&e); err != nil {
			return err
		}
	}
	return sink.EndDir(i, nil)
}

// Stat is [sdk.Resource.Stat].
func (t *Tree) Stat(ctx context.Context, paths []sdk.Path, fields sdk.Fields) ([]sdk.Entry, error) {
	out := make([]sdk.Entry, len(paths))
	for i, p := range paths {
		if i%cancelEvery == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		at, err := t.find(p)
		if err != nil {
			err.Op = "stat"
			out[i] = sdk.Entry{Name: p.Base(), Err: err}
			continue
		}
		t.describe(at, fields, &out[i])
	}
	return out, nil
}

// File looks up the regular file at p, to be read: its entry, and its Ref.
func (t *Tree) File(p sdk.Path) (sdk.Entry, int, *sdk.Error) {
	at, err := t.find(p)
	if err != nil {
		err.Op = "read"
		return sdk.Entry{}, 0, err
	}
	var e sdk.Entry
	t.describe(at, sdk.FieldXattrs, &e)
	o := &t.objects[t.nodes[at].object]
	switch {
	case o.bad != nil:
		why := *o.bad
		why.Path = p
		return e, 0, &why
	case e.Type != sdk.TypeRegular:
		return e, 0, &sdk.Error{Kind: sdk.KindChanged, Op: "read", Path: p, Msg: "it is a " + e.Type.String() + ", not a regular file"}
	}
	return e, o.ref, nil
}

// Carry gives the entries that are what they were in old the change times that
// they had there, and so says that nothing about them changed since. It is called
// before the Tree is used.
func (t *Tree) Carry(old *Tree) { t.carry(0, old, 0) }

func (t *Tree) carry(at int32, old *Tree, was int32) {
	n, o := &t.nodes[at], &old.nodes[was]
	e, f := &t.objects[n.object].entry, &old.objects[o.object].entry
	if same(e, f) {
		e.Ctime = f.Ctime
	}
	for i, j := 0, 0; i < len(n.kids) && j < len(o.kids); {
		switch a, b := n.kids[i], o.kids[j]; strings.Compare(t.nodes[a].name, old.nodes[b].name) {
		case 0:
			t.carry(a, old, b)
			i++
			j++
		case -1:
			i++
		default:
			j++
		}
	}
}

// same reports whether all that can be told of two entries is the same.
func same(a, b *sdk.Entry) bool {
	return a.Type == b.Type && a.ID == b.ID && a.Size == b.Size && a.Mtime == b.Mtime && a.Perm == b.Perm && a.UID == b.UID &&
		a.GID == b.GID && a.Nlink == b.Nlink && a.Target == b.Target && a.Major == b.Major && a.Minor == b.Minor &&
		slices.EqualFunc(a.Xattrs, b.Xattrs, func(x, y sdk.Xattr) bool { return x.Name == y.Name && bytes.Equal(x.Value, y.Value) })
}
