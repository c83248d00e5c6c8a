package marker

import (
	"maps"
	"slices"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// linkTable holds the names of files that have several, as their directories
// last listed them, and those files alone: about 50 bytes and the name for each
// name, and twice that for each file. Index 0 of a slice names none.
type linkTable struct {
	// filled says that a pass went through the whole tree since the table was
	// made: before that, a name that is not in it may yet exist.
	filled bool
	bytes  int64  // in the regular files of the table
	room   int64  // that the names take in the index
	pass   uint32 // the one under way

	byID  map[sdk.FileID]uint32
	files []linkFile
	names []linkName
	dirs  map[ref]uint32 // the first name in a directory

	// lost reports whether a directory is missing, and losses whether any is: names
	// in it count as gone, lest they hide others that are. gone reports whether it was
	// missing before the pass under way, which forgets it then if it does not find it.
	lost, gone func(dir ref) bool
	losses     func() bool

	doubts []uint32 // files that are to be looked into

	freeFiles, freeNames []uint32
	old, removed         []uint32 // for replace
}

// linkFile is a file that had several names when one of them was last listed.
type linkFile struct {
	id    sdk.FileID
	when  sdk.Time // its change time then
	size  int64    // of a regular file
	nlink uint32
	known uint32 // names in the table
	// outside is how many of its names the last pass through the whole tree
	// did not find: they are not in the tree, or were made behind that pass.
	outside uint32
	since   uint32 // the pass that first found it with so many names
	head    uint32
	version uint32 // counts what it was found to be
	doubt   doubt
}

// short reports whether names of a file are missing that may be in the tree. Of
// those known, so many are lost.
func (f *linkFile) short(lost int64) bool {
	return int64(f.nlink)-int64(f.known)+lost > int64(f.outside)
}

// linkName is one name: of a file, in a directory.
type linkName struct {
	name       string
	file       uint32
	dir        ref
	next, prev uint32 // of the same file
	sibling    uint32 // the next name in the same directory, by its bytes
	version    uint32 // of the file, as the directory found it
}

func newLinkTable(lost, gone func(dir ref) bool, losses func() bool) *linkTable {
	return &linkTable{lost: lost, gone: gone, losses: losses, byID: map[sdk.FileID]uint32{}, dirs: map[ref]uint32{},
		files: make([]linkFile, 1), names: make([]linkName, 1)}
}

// replace takes a directory's listing in place of the one before. Whether other
// directories are to be listed for it is left to resolve.
func (t *linkTable) replace(dir ref, b *linkBatch) {
	if len(b.items) == 0 && t.dirs[dir] == 0 {
		return
	}
	t.old, t.removed = t.old[:0], t.removed[:0]
	for i := t.dirs[dir]; i != 0; i = t.names[i].sibling {
		t.old = append(t.old, i)
	}
	delete(t.dirs, dir)
	k, last := 0, uint32(0)
	for at := range b.items {
		item, name := &b.items[at], b.name(at)
		for ; k < len(t.old) && t.names[t.old[k]].name < string(name); k++ {
			t.removed = append(t.removed, t.old[k])
		}
		f := t.file(item)
		var i uint32
		if k < len(t.old) && t.names[t.old[k]].name == string(name) {
			if t.names[t.old[k]].file == f {
				i = t.old[k]
			} else {
				t.removed = append(t.removed, t.old[k])
			}
			k++
		}
		if i == 0 {
			i = t.add(f, dir, string(name))
		}
		if t.names[i].version != t.files[f].version {
			t.doubt(f, doubtMet) // it may be the last to find it so
		}
		t.names[i].sibling, t.names[i].version = 0, t.files[f].version
		if last == 0 {
			t.dirs[dir] = i
		} else {
			t.names[last].sibling = i
		}
		last = i
		if t.files[f].short(0) {
			t.doubt(f, doubtMet)
		}
	}
	t.removed = append(t.removed, t.old[k:]...)
	for _, i := range t.removed {
		t.remove(i)
	}
}

// file finds or makes the record of a file, and takes over what it is now.
func (t *linkTable) file(item *linkItem) uint32 {
	f, known := t.byID[item.id]
	if !known {
		if n := len(t.freeFiles); n > 0 {
			f, t.freeFiles = t.freeFiles[n-1], t.freeFiles[:n-1]
		} else {
			f = uint32(len(t.files))
			t.files = append(t.files, linkFile{})
		}
		t.files[f] = linkFile{id: item.id}
		t.byID[item.id] = f
	}
	r := &t.files[f]
	if known && (r.when != item.when || r.nlink != item.nlink || r.size != item.size) {
		r.version++
		t.doubt(f, doubtMet)
	}
	if !known || r.nlink != item.nlink {
		r.since = t.pass
	}
	t.bytes += item.size - r.size
	r.when, r.nlink, r.size = item.when, item.nlink, item.size
	return f
}

// add notes one more name of a file.
func (t *linkTable) add(f uint32, dir ref, name string) uint32 {
	var i uint32
	if n := len(t.freeNames); n > 0 {
		i, t.freeNames = t.freeNames[n-1], t.freeNames[:n-1]
	} else {
		i = uint32(len(t.names))
		t.names = append(t.names, linkName{})
	}
	r := &t.files[f]
	t.names[i] = linkName{name: name, file: f, dir: dir, next: r.head}
	if r.head != 0 {
		t.names[r.head].prev = i
	}
	r.head = i
	t.room += nameFixed + int64(len(name))
	r.known++
	if n := int64(r.nlink) - int64(r.known); n < int64(r.outside) {
		r.outside = uint32(max(n, 0))
	}
	return i
}

// remove takes a name out, and its file with the last one.
func (t *linkTable) remove(i uint32) {
	n := t.names[i]
	r := &t.files[n.file]
	if n.prev != 0 {
		t.names[n.prev].next = n.next
	} else {
		r.head = n.next
	}
	if n.next != 0 {
		t.names[n.next].prev = n.prev
	}
	t.room -= nameFixed + int64(len(n.name))
	t.names[i] = linkName{}
	t.freeNames = append(t.freeNames, i)
	if r.known--; r.known == 0 {
		t.bytes -= r.size
		delete(t.byID, r.id)
		*r = linkFile{}
		t.freeFiles = append(t.freeFiles, n.file)
		return
	}
	t.doubt(n.file, doubtTorn)
}

// forget takes out the names in a directory that is no more.
func (t *linkTable) forget(dir ref) {
	next := t.dirs[dir]
	delete(t.dirs, dir)
	for next != 0 {
		i := next
		next = t.names[i].sibling
		t.remove(i)
	}
}

// settle ends a pass through the whole tree: names that it did not find are no
// longer waited for. But those of a file that it met first may have been there, and
// gone before it came to them: again is called for the directories of the others. And
// with aware, where a new name is told of by its directory alone, those of a file that
// also changed after young are waited for: the name that was found may have been made
// behind the listing of the others.
func (t *linkTable) settle(young sdk.Time, aware bool, again func(dir ref)) {
	t.filled = true
	for i := range t.files {
		f := &t.files[i]
		if f.since == t.pass && f.short(0) {
			for n := f.head; n != 0; n = t.names[n].next {
				again(t.names[n].dir)
			}
			if aware && f.when.Compare(young) > 0 {
				continue
			}
		}
		f.outside = uint32(max(int64(f.nlink)-int64(f.known), 0))
	}
}

// load takes the names that an index kept with a point. Those that are not among them
// were outside of the tree, or are told of with what changed since.
func (t *linkTable) load(names map[ref]*linkBatch) {
	for _, dir := range slices.Sorted(maps.Keys(names)) {
		t.replace(dir, names[dir])
		delete(names, dir)
	}
	t.filled = true
	for i := range t.files {
		f := &t.files[i]
		f.outside = uint32(max(int64(f.nlink)-int64(f.known), 0))
	}
}

// each calls f for every name of a file.
func (t *linkTable) each(id sdk.FileID, f func(dir ref, name string)) {
	for i := t.files[t.byID[id]].head; i != 0; i = t.names[i].next {
		f(t.names[i].dir, t.names[i].name)
	}
}
