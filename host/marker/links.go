package marker

import "github.com/gsyncd/gsyncd-host/sdk"

// linkTable holds the names of files that have several, as their directories
// last listed them, and those files alone: about 50 bytes and the name for each
// name, and twice that for each file. Index 0 of a slice names none.
type linkTable struct {
	// filled says that a pass went through the whole tree since the table was
	// made: before that, a name that is not in it may yet exist.
	filled bool
	bytes  int64 // in the regular files of the table

	byID  map[sdk.FileID]uint32
	files []linkFile
	names []linkName
	dirs  map[ref]uint32 // the first name in a directory

	// lost reports whether a directory is missing, and losses whether any is: names
	// in it count as gone, lest they hide others that are.
	lost   func(dir ref) bool
	losses func() bool

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
	// missed is how many that pass missed, if it may have come too early.
	missed uint32
	head   uint32
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
}

func newLinkTable(lost func(dir ref) bool, losses func() bool) *linkTable {
	return &linkTable{lost: lost, losses: losses, byID: map[sdk.FileID]uint32{}, dirs: map[ref]uint32{},
		files: make([]linkFile, 1), names: make([]linkName, 1)}
}

// replace takes a directory's listing in place of the one before. For each file
// that is not as its other names' directories found it, changed is called; and
// seen for each that has names the table does not know.
func (t *linkTable) replace(dir ref, b *linkBatch, changed, seen func(file uint32)) {
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
		f, differs := t.file(item)
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
		t.names[i].sibling = 0
		if last == 0 {
			t.dirs[dir] = i
		} else {
			t.names[last].sibling = i
		}
		last = i
		if differs {
			changed(f)
		}
		if t.files[f].short(0) || differs && t.short(f) {
			seen(f)
		}
	}
	t.removed = append(t.removed, t.old[k:]...)
	for _, i := range t.removed {
		f := t.names[i].file
		if t.remove(i); t.files[f].known > 0 && t.short(f) {
			changed(f)
			seen(f)
		}
	}
}

// file finds or makes the record of a file, takes over what it is now, and
// reports whether that is not what it was known as.
func (t *linkTable) file(item *linkItem) (f uint32, differs bool) {
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
	differs = known && (r.when != item.when || r.nlink != item.nlink || r.size != item.size)
	t.bytes += item.size - r.size
	r.when, r.nlink, r.size = item.when, item.nlink, item.size
	return f, differs
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
	t.names[i] = linkName{}
	t.freeNames = append(t.freeNames, i)
	if r.known--; r.known == 0 {
		t.bytes -= r.size
		delete(t.byID, r.id)
		*r = linkFile{}
		t.freeFiles = append(t.freeFiles, n.file)
	}
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

// others calls f for the directories with further names of a directory's files.
func (t *linkTable) others(dir ref, f func(dir ref)) {
	for i := t.dirs[dir]; i != 0; i = t.names[i].sibling {
		for o := t.files[t.names[i].file].head; o != 0; o = t.names[o].next {
			if t.names[o].dir != dir {
				f(t.names[o].dir)
			}
		}
	}
}

// settle ends a pass through the whole tree: names that it did not find are no
// longer waited for. But where a file was changed after young a name may have been
// made behind the pass, in a directory that it had listed by then: a directory of
// each such file is returned, and only the second pass in a row that misses as
// many names is believed.
func (t *linkTable) settle(young sdk.Time) (again []ref) {
	t.filled = true
	for i := range t.files {
		f := &t.files[i]
		missed := uint32(max(int64(f.nlink)-int64(f.known), 0))
		if missed > f.outside && missed != f.missed && f.when.Compare(young) > 0 {
			f.missed = missed
			again = append(again, t.names[f.head].dir)
			continue
		}
		f.outside, f.missed = missed, 0
	}
	return again
}

// each calls f for every name of a file.
func (t *linkTable) each(id sdk.FileID, f func(dir ref, name string)) {
	for i := t.files[t.byID[id]].head; i != 0; i = t.names[i].next {
		f(t.names[i].dir, t.names[i].name)
	}
}

// waits reports whether names of a file are missing that may be in the tree.
func (t *linkTable) waits(id sdk.FileID) bool { return t.short(t.byID[id]) }

func (t *linkTable) short(f uint32) bool {
	r := &t.files[f]
	if r.short(0) || !t.losses() {
		return r.short(0)
	}
	lost := int64(0)
	for i := r.head; i != 0; i = t.names[i].next {
		if t.lost(t.names[i].dir) {
			lost++
		}
	}
	return r.short(lost)
}
