package marker

import (
	"encoding/binary"
	"fmt"

	"github.com/gsyncd/gsyncd-host/sdk"
)

const (
	// namesChunk is about how long a record of names gets before the next one begins:
	// a directory may have more of them than go into a batch.
	namesChunk = 64 << 10
	// nameFixed is how much of it a name takes, beside its bytes.
	nameFixed = sdk.FileIDSize + 12 + 8 + 4 + 1
)

// appendNames appends a record with names in a directory of files with several, the
// first of them or those from the one at, and tells with which the next one begins.
func (t *linkTable) appendNames(b []byte, id sdk.FileID, dir ref, at uint32) ([]byte, uint32) {
	b = appendID(append(b, recNames), id)
	first := byte(0)
	if at == t.dirs[dir] {
		first = 1
	}
	b = append(b, first)
	count, n := len(b), uint32(0)
	b = binary.LittleEndian.AppendUint32(b, 0)
	for ; at != 0 && len(b) < count+namesChunk; n++ {
		name := &t.names[at]
		f := &t.files[name.file]
		b = appendTime(appendID(b, f.id), f.when)
		b = binary.LittleEndian.AppendUint64(b, uint64(f.size))
		b = binary.LittleEndian.AppendUint32(b, f.nlink)
		b = append(b, byte(len(name.name)))
		b = append(b, name.name...)
		at = name.sibling
	}
	binary.LittleEndian.PutUint32(b[count:], n)
	return b, at
}

// names decodes what appendNames appended, behind the kind.
func (d *decoder) names(rec *record) {
	rec.id, rec.first = d.id(), d.byte() == 1
	rec.names = &linkBatch{}
	for n := d.uint32(); n > 0 && !d.short; n-- {
		item := linkItem{id: d.id(), when: sdk.Time{Sec: int64(d.uint64()), Nsec: d.uint32()}}
		item.size, item.nlink = int64(d.uint64()), d.uint32()
		rec.names.put(item, d.name())
	}
}

// validate holds names that were decoded against what a listing would have.
func (b *linkBatch) validate() error {
	for i := range b.items {
		item, name := &b.items[i], string(b.name(i))
		if item.id.IsZero() || item.nlink < 2 || item.size < 0 || item.when.Nsec >= 1e9 {
			return fmt.Errorf("file %q with %d names, %d bytes and identity %v", name, item.nlink, item.size, item.id)
		}
		if err := sdk.ValidateName(name); err != nil {
			return err
		}
		if i > 0 && string(b.name(i-1)) >= name {
			return fmt.Errorf("name %q is out of order", name)
		}
	}
	return nil
}

// join appends the names of another batch, which come after those of b.
func (b *linkBatch) join(more *linkBatch) error {
	if n := len(b.items); n > 0 && len(more.items) > 0 && string(b.name(n-1)) >= string(more.name(0)) {
		return fmt.Errorf("name %q is out of order", more.name(0))
	}
	for i := range more.items {
		b.put(more.items[i], string(more.name(i)))
	}
	return nil
}
