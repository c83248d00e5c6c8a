package marker

import "github.com/gsyncd/gsyncd-host/sdk"

// watch is the part of a fakeFS that tells of changes by directory, as a watcher of
// the filesystem does. It knows what nobody can be told of by such a one.
type watch struct {
	// dirty are the directories in which something was changed; nil: nobody watches.
	dirty map[sdk.FileID]bool
	// passes counts those that began, and made holds the names that none of them
	// that began later has listed, of files made under another one.
	passes int
	made   map[nameIn]made
	// holes are the files that had such a name that is gone: of what was changed
	// through it, nothing tells where the file's other names are.
	holes map[sdk.FileID]bool
}

type nameIn struct {
	dir  *object
	name string
}

type made struct {
	pass int
	// from is the directory of the earlier name, while it was not listed since:
	// that the name is not there any more tells as much.
	from *object
}

func (f *fakeFS) watched() {
	f.dirty, f.made, f.holes = map[sdk.FileID]bool{}, map[nameIn]made{}, map[sdk.FileID]bool{}
}

// event tells of a change of what is at p, as the kernel does: it names a directory
// itself, and for all else the directory through which it was reached. Those of
// its other names are not told of.
func (f *fakeFS) event(p sdk.Path) {
	o := f.must(p)
	if o.kids == nil {
		o = f.must(p.Dir())
	}
	if f.dirty != nil {
		f.dirty[o.entry.ID] = true
	}
}

// named notes a new name of what is there already, and what it was called before.
func (f *fakeFS) named(to sdk.Path, before nameIn) {
	if f.made == nil {
		return
	}
	is := made{f.passes, before.dir}
	if was, ok := f.made[before]; ok {
		delete(f.made, before)
		is.from = was.from
	}
	f.made[nameIn{f.must(to.Dir()), to.Base()}] = is
}

// unnamed notes that a name is gone, with all below it.
func (f *fakeFS) unnamed(at nameIn, o *object) {
	if was, ok := f.made[at]; ok && was.from == nil {
		f.holes[o.entry.ID] = true
	}
	delete(f.made, at)
	for name, k := range o.kids {
		f.unnamed(nameIn{o, name}, k)
	}
}

// seen notes that a directory is listed.
func (f *fakeFS) seen(o *object) {
	for at, is := range f.made {
		if is.from == o {
			is.from = nil
			f.made[at] = is
		}
		if at.dir == o && is.pass < f.passes {
			delete(f.made, at)
		}
	}
}
