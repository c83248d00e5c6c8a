package marker

import "github.com/gsyncd/gsyncd-host/sdk"

// linkTable holds the names of files that have several. It is built anew by
// every pass and holds those files alone: about 20 bytes and the name for each
// name, and a map entry for each file.
type linkTable struct {
	heads map[sdk.FileID]uint32 // index+1 into names of the last one found
	names []linkName
	bytes []byte // a length byte and the name, one after the other
}

type linkName struct {
	off  uint64 // in bytes
	dir  ref
	next uint32 // index+1 of the one found before
}

// add notes one name of a file and reports whether it is the first.
func (t *linkTable) add(id sdk.FileID, dir ref, name string) bool {
	if t.heads == nil {
		t.heads = make(map[sdk.FileID]uint32)
	}
	if len(name) > sdk.MaxName {
		return true
	}
	head := t.heads[id]
	t.names = append(t.names, linkName{off: uint64(len(t.bytes)), dir: dir, next: head})
	t.bytes = append(append(t.bytes, byte(len(name))), name...)
	t.heads[id] = uint32(len(t.names))
	return head == 0
}

// each calls f for every name of a file.
func (t *linkTable) each(id sdk.FileID, f func(dir ref, name string)) {
	for i := t.heads[id]; i != 0; i = t.names[i-1].next {
		n := t.names[i-1]
		end := n.off + 1 + uint64(t.bytes[n.off])
		f(n.dir, string(t.bytes[n.off+1:end]))
	}
}

// several reports whether a file has more names than one.
func (t *linkTable) several(id sdk.FileID) bool {
	i := t.heads[id]
	return i != 0 && t.names[i-1].next != 0
}

// reset empties the table. It keeps the memory, unless far more than was used.
func (t *linkTable) reset() {
	if cap(t.names) > 4*len(t.names)+1024 {
		*t = linkTable{}
		return
	}
	clear(t.heads)
	t.names = t.names[:0]
	t.bytes = t.bytes[:0]
}
