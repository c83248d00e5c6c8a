package catalog

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// maxBad is how many entries with impossible names are shown one by one.
const maxBad = 100

// Item is one entry of a list.
type Item struct {
	// Entry describes it. Its Name, ID, Nlink and Ctime are not looked at. With an
	// Err, which says why it cannot be served, it is listed as a file, and whoever
	// reads it gets the Err: it stops nothing but itself. An entry of an unknown type
	// could be a directory, and the host would remove nothing while there is one.
	Entry sdk.Entry
	// Version tells this content from every other that may have the same name,
	// as far as the list does: a checksum, an ETag.
	Version string
	// Ref is what the driver knows it by.
	Ref int
}

// Builder makes a [Tree]. It is for one goroutine.
type Builder struct {
	root     sdk.FileID
	changed  sdk.Time
	uid, gid uint32
	nodes    []node
	objects  []object
	byPath   map[sdk.Path]int32
	bad      []badName
	more     int // bad names beyond maxBad
}

type badName struct {
	name string
	err  *sdk.Error
}

// implied is the Ref of a directory that no entry described.
const implied = -1

// NewBuilder begins a list that last changed at the given time: all its entries
// get that as their change time. root is the identity of the root directory.
// Directories that are only implied belong to uid and gid.
func NewBuilder(root sdk.FileID, changed sdk.Time, uid, gid uint32) *Builder {
	b := &Builder{root: root, changed: changed, uid: uid, gid: gid, byPath: map[sdk.Path]int32{}}
	b.name(0, "", sdk.Root, b.object(b.dir()))
	return b
}

// Len returns how many names there are, implied ones and the root included.
func (b *Builder) Len() int { return len(b.nodes) + len(b.bad) + b.more }

// Add takes an entry. name is its path in the list: components divided by '/';
// empty ones and "." are left out.
func (b *Builder) Add(name string, it Item) {
	p, err := Clean(name)
	if err == nil {
		err = b.add(p, it)
	}
	if err != nil {
		b.Bad(name, err.Error())
	}
}

// Link takes a further name for the entry that is called to now.
func (b *Builder) Link(name, to string) {
	p, err := Clean(name)
	var old sdk.Path
	if err == nil {
		old, err = Clean(to)
	}
	if err == nil {
		err = b.link(p, old)
	}
	if err != nil {
		b.Bad(name, err.Error())
	}
}

// Bad shows an entry that has no place in the tree as a file of the root that
// nobody can read, which the host makes a problem of.
func (b *Builder) Bad(name, why string) {
	if len(b.bad) == maxBad {
		b.more++
		return
	}
	b.bad = append(b.bad, badName{name, &sdk.Error{Kind: sdk.KindUnsupported, Op: "serve", Msg: fmt.Sprintf("entry %q %s", clip(name), why)}})
}

func (b *Builder) add(p sdk.Path, it Item) error {
	e := &it.Entry
	if e.Err != nil {
		e.Type = sdk.TypeRegular
	}
	if p == sdk.Root {
		if e.Type != sdk.TypeDir {
			return fmt.Errorf("is a %s where the root directory is", e.Type)
		}
		b.objects[0] = b.made(p, it)
		b.objects[0].names = 1
		return nil
	}
	parent, err := b.parent(p)
	if err != nil {
		return err
	}
	at, ok := b.byPath[p]
	if !ok {
		b.name(parent, p.Base(), p, b.object(b.made(p, it)))
		return nil
	}
	if e.Type != sdk.TypeDir && b.nodes[at].count > 0 {
		return fmt.Errorf("is a %s, and a directory as well", e.Type)
	}
	b.objects[b.nodes[at].object].names--
	b.nodes[at].object = b.object(b.made(p, it))
	b.objects[b.nodes[at].object].names++
	return nil
}

func (b *Builder) link(p, old sdk.Path) error {
	at, ok := b.byPath[old]
	if !ok {
		return fmt.Errorf("is a link to %q, which is not there", clip(string(old)))
	}
	o := b.nodes[at].object
	if b.objects[o].entry.Type == sdk.TypeDir {
		return fmt.Errorf("is a hard link to the directory %q", clip(string(old)))
	}
	if p == old || p == sdk.Root {
		return fmt.Errorf("is a link to itself")
	}
	parent, err := b.parent(p)
	if err != nil {
		return err
	}
	is, ok := b.byPath[p]
	switch {
	case !ok:
		b.name(parent, p.Base(), p, o)
	case b.nodes[is].count > 0:
		return fmt.Errorf("is a link, and a directory as well")
	default:
		b.objects[b.nodes[is].object].names--
		b.nodes[is].object = o
		b.objects[o].names++
	}
	return nil
}

// parent finds or makes the directory that is to hold p.
func (b *Builder) parent(p sdk.Path) (int32, error) {
	dir, _ := p.Split()
	if at, ok := b.byPath[dir]; ok {
		if t := b.objects[b.nodes[at].object].entry.Type; t != sdk.TypeDir {
			return 0, fmt.Errorf("lies below %q, which is no directory", clip(string(dir)))
		}
		return at, nil
	}
	above, err := b.parent(dir)
	if err != nil {
		return 0, err
	}
	return b.name(above, dir.Base(), dir, b.object(b.dir())), nil
}

// name puts a name into the tree.
func (b *Builder) name(parent int32, name string, p sdk.Path, o int32) int32 {
	at := int32(len(b.nodes))
	b.nodes = append(b.nodes, node{name: name, object: o, parent: parent})
	b.byPath[p] = at
	b.objects[o].names++
	if at > 0 {
		b.nodes[parent].count++
	}
	return at
}

func (b *Builder) object(o object) int32 {
	b.objects = append(b.objects, o)
	return int32(len(b.objects) - 1)
}

// dir is a directory that is only implied. Its time is set in the end.
func (b *Builder) dir() object {
	return object{ref: implied, entry: sdk.Entry{Type: sdk.TypeDir, Perm: 0o755, UID: b.uid, GID: b.gid}}
}

func (b *Builder) made(p sdk.Path, it Item) object {
	e := it.Entry
	e.Name, e.Nlink = "", 0
	bad := e.Err
	if bad != nil {
		e.Err, e.Target, e.Major, e.Minor = nil, "", 0, 0
	}
	if e.Type != sdk.TypeDir {
		e.ID = FileID(p, it.Version)
	}
	return object{entry: e, ref: it.Ref, bad: bad}
}

// FileID makes the identity of what is at a path, in the given version. It is what
// a Tree gives to entries that are no directories.
func FileID(p sdk.Path, version string) sdk.FileID { return identity('f', p, version) }

// DirID makes the identity of the directory at a path: it is the same directory
// whatever is put into it.
func DirID(p sdk.Path) sdk.FileID { return identity('d', p, "") }

func identity(kind byte, p sdk.Path, version string) sdk.FileID {
	h := sha256.New()
	h.Write([]byte{kind})
	h.Write([]byte(p))
	h.Write([]byte{0})
	h.Write([]byte(version))
	return sdk.FileIDFrom(h.Sum(nil))
}

// Tree ends the list. The Builder is of no use afterwards.
func (b *Builder) Tree() *Tree {
	b.showBad()
	t := &Tree{nodes: b.nodes, objects: b.objects}
	b.byPath = nil
	for i := 1; i < len(t.nodes); i++ {
		p := &t.nodes[t.nodes[i].parent]
		if p.kids == nil {
			p.kids = make([]int32, 0, p.count)
		}
		p.kids = append(p.kids, int32(i))
	}
	for i := range t.nodes {
		slices.SortFunc(t.nodes[i].kids, func(x, y int32) int { return strings.Compare(t.nodes[x].name, t.nodes[y].name) })
	}
	b.finish(t, 0, sdk.Root)
	return t
}

// finish sets what follows from the tree as a whole: the identities of
// directories, and the times of those that are only implied, which are the
// latest below them. It returns the latest.
func (b *Builder) finish(t *Tree, at int32, p sdk.Path) sdk.Time {
	n := &t.nodes[at]
	o := &t.objects[n.object]
	o.entry.Ctime = b.changed
	if o.entry.Type != sdk.TypeDir {
		o.entry.Nlink = uint32(o.names)
		return o.entry.Mtime
	}
	var latest sdk.Time
	for i, k := range n.kids {
		if m := b.finish(t, k, p.Join(t.nodes[k].name)); i == 0 || m.Compare(latest) > 0 {
			latest = m
		}
	}
	o.entry.ID, o.entry.Nlink = b.root, 2
	if at > 0 {
		o.entry.ID = DirID(p)
	}
	if o.ref == implied {
		o.entry.Mtime = latest
	}
	return o.entry.Mtime
}

// showBad gives the entries that have no place a name in the root.
func (b *Builder) showBad() {
	if b.more > 0 {
		b.bad = append(b.bad, badName{"more", &sdk.Error{Kind: sdk.KindUnsupported, Op: "serve", Msg: fmt.Sprintf("%d more entries have no place in the tree", b.more)}})
	}
	for _, bad := range b.bad {
		first := sdk.Path(shown(bad.name))
		p := first
		for n := 2; ; n++ {
			if _, taken := b.byPath[p]; !taken {
				break
			}
			p = first + sdk.Path(fmt.Sprintf("~%d", n))
		}
		b.name(0, string(p), p, b.object(b.made(p, Item{Entry: sdk.Entry{Type: sdk.TypeRegular, Perm: 0o600, Err: bad.err}})))
	}
}
