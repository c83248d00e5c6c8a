package marker

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// object is a file or directory of a fakeFS.
type object struct {
	entry sdk.Entry // Name is not used
	kids  map[string]*object
	data  int // stands for the content
	fail  *sdk.Error
	// native is a directory's native xtime.
	native sdk.NativeXTime
	gen    uint64 // when it was changed last
}

// fakeFS is a tree in memory with a filesystem's rules: a clock that advances
// in steps, change times that nobody sets, and identities never given out twice.
type fakeFS struct {
	t     testing.TB
	root  *object
	now   int64 // ns
	step  int64 // granularity of change times
	last  uint64
	ident string
	scans int
	// onList is called before a directory is listed, with its path, and may
	// change the tree.
	onList func(p sdk.Path)
	// cut breaks off every listing after so many entries, if not 0.
	cut    int
	broken error // from Scan
	listed int   // directories
	marks
	past
}

var _ sdk.Source = (*fakeFS)(nil)

func newFakeFS(t testing.TB) *fakeFS {
	f := &fakeFS{t: t, now: int64(1_000_000 * time.Second), step: int64(10 * time.Millisecond), ident: "fake-1"}
	f.away = &object{kids: map[string]*object{}}
	f.gen = 1
	f.root = f.object(sdk.TypeDir)
	f.root.entry.Nlink = 2
	return f
}

func (f *fakeFS) ctime() sdk.Time { return nanos(f.now - f.now%f.step) }

func nanos(ns int64) sdk.Time { return sdk.Time{}.Add(ns) }

// pass lets so much time go by that nothing is young any more.
func (f *fakeFS) pass() { f.now += 3 * f.step }

func (f *fakeFS) object(typ sdk.Type) *object {
	f.last++
	o := &object{gen: f.gen, entry: sdk.Entry{Type: typ, Perm: 0o755, Nlink: 1, ID: sdk.FileID{Ino: f.last, Gen: 7}, Mtime: f.ctime(), Ctime: f.ctime()}}
	if typ == sdk.TypeDir {
		o.kids = map[string]*object{}
	}
	return o
}

// find returns the object at p, or nil.
func (f *fakeFS) find(p sdk.Path) *object {
	o := f.root
	if p == sdk.Root {
		return o
	}
	for name := range strings.SplitSeq(string(p), "/") {
		if o = o.kids[name]; o == nil {
			return nil
		}
	}
	return o
}

func (f *fakeFS) must(p sdk.Path) *object {
	f.t.Helper()
	o := f.find(p)
	if o == nil {
		f.t.Fatalf("no %q in the fake tree", p)
	}
	return o
}

func (f *fakeFS) id(p sdk.Path) sdk.FileID { return f.must(p).entry.ID }

// touched sets the change time, touchedDir the modification time as well.
func (f *fakeFS) touched(o *object) {
	o.entry.Ctime, o.gen = f.ctime(), f.gen
}

func (f *fakeFS) touchedDir(o *object) {
	o.entry.Mtime = f.ctime()
	f.touched(o)
}

func (f *fakeFS) put(p sdk.Path, o *object) {
	dir := f.must(p.Dir())
	dir.kids[p.Base()] = o
	f.touchedDir(dir)
	f.event(p.Dir())
	f.mark(p)
}

func (f *fakeFS) mkdir(p sdk.Path) *object {
	o := f.object(sdk.TypeDir)
	f.put(p, o)
	return o
}

func (f *fakeFS) mkdirAll(p sdk.Path) {
	if f.find(p) == nil {
		f.mkdirAll(p.Dir())
		f.mkdir(p)
	}
}

func (f *fakeFS) create(p sdk.Path) *object {
	o := f.object(sdk.TypeRegular)
	o.entry.Size = 10
	f.put(p, o)
	return o
}

// write changes a file's content and keeps its size.
func (f *fakeFS) write(p sdk.Path) {
	o := f.must(p)
	o.data++
	f.touchedDir(o)
	f.event(p)
	f.mark(p)
}

func (f *fakeFS) chmod(p sdk.Path, perm sdk.Perm) {
	o := f.must(p)
	o.entry.Perm = perm
	f.touched(o)
	f.event(p)
	f.mark(p)
}

func (f *fakeFS) link(from, to sdk.Path) {
	o := f.must(from)
	f.put(to, o)
	f.named(to, nameIn{})
	o.entry.Nlink++
	f.touched(o)
}

func (f *fakeFS) remove(p sdk.Path) {
	o := f.must(p)
	dir := f.must(p.Dir())
	f.unnamed(nameIn{dir, p.Base()}, o)
	delete(dir.kids, p.Base())
	f.touchedDir(dir)
	f.event(p.Dir())
	f.mark(p.Dir())
	o.entry.Nlink--
	f.touched(o)
}

// rename moves an object. Like some filesystems it leaves its times alone.
func (f *fakeFS) rename(from, to sdk.Path) {
	o := f.must(from)
	dir := f.must(from.Dir())
	delete(dir.kids, from.Base())
	f.touchedDir(dir)
	f.event(from.Dir())
	f.mark(from.Dir())
	f.put(to, o)
	if o.kids == nil {
		f.named(to, nameIn{dir, from.Base()})
	}
}

// dirs gives the paths of all directories, by identity.
func (f *fakeFS) dirs() map[sdk.FileID]sdk.Path {
	out := map[sdk.FileID]sdk.Path{}
	f.walk(f.root, sdk.Root, func(o *object, p sdk.Path) {
		if o.kids != nil {
			out[o.entry.ID] = p
		}
	})
	return out
}

func (f *fakeFS) walk(o *object, p sdk.Path, fn func(*object, sdk.Path)) {
	fn(o, p)
	for _, name := range slices.Sorted(maps.Keys(o.kids)) {
		f.walk(o.kids[name], p.Join(name), fn)
	}
}

func (f *fakeFS) Close() error { return nil }

func (f *fakeFS) Identity(context.Context) (sdk.Identity, error) {
	return sdk.Identity{Filesystem: f.ident, Root: f.root.entry.ID}, nil
}

func (f *fakeFS) Read(context.Context, []sdk.Path, sdk.ReadSink) error {
	return &sdk.Error{Kind: sdk.KindUnsupported, Op: "read"}
}

func (f *fakeFS) Scan(ctx context.Context, req sdk.ScanRequest, sink sdk.ScanSink) error {
	f.scans++
	if len(req.Dirs) > sdk.MaxBatch || req.Fields != 0 && (req.Fields&^sdk.FieldEntryNative != sdk.FieldNative || !f.native) {
		f.t.Errorf("scan of %d directories, fields %b", len(req.Dirs), req.Fields)
	}
	for i, p := range req.Dirs {
		if f.onList != nil {
			f.onList(p)
		}
		if f.broken != nil {
			return f.broken
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := p.Validate(); err != nil {
			f.t.Error(err)
		}
		f.listed++
		if err := f.list(i, p, req.Fields, sink); err != nil {
			return err
		}
	}
	return nil
}

func (f *fakeFS) list(i int, p sdk.Path, fields sdk.Fields, sink sdk.ScanSink) error {
	o := f.find(p)
	if o == nil || o.kids == nil {
		return sink.EndDir(i, &sdk.Error{Kind: sdk.KindNotExist, Op: "open", Path: p})
	}
	self := f.row(o, ".", fields)
	if o.fail != nil && f.cut == 0 {
		return sink.EndDir(i, o.fail)
	}
	if o.fail == nil {
		f.seen(o)
	}
	if err := sink.BeginDir(i, &self); err != nil {
		return err
	}
	for n, name := range slices.Sorted(maps.Keys(o.kids)) {
		if o.fail != nil && n >= f.cut {
			return sink.EndDir(i, o.fail)
		}
		e := f.row(o.kids[name], name, fields)
		if err := sink.Entry(&e); err != nil {
			return err
		}
	}
	return sink.EndDir(i, o.fail)
}
