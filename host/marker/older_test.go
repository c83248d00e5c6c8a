package marker

import (
	"encoding/binary"
	"testing"
)

// An index of the earlier version keeps its xtimes.
func TestOlderIndex(t *testing.T) {
	r := small(t)
	before := r.xtimes()
	b := []byte(fileMagic)
	b = binary.LittleEndian.AppendUint32(b, noNatives)
	b = binary.LittleEndian.AppendUint64(b, r.m.epoch)
	at := len(b)
	b = binary.LittleEndian.AppendUint64(b, 0)
	b = appendID(b, r.m.ident.Root)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(r.m.ident.Filesystem)))
	b = append(b, r.m.ident.Filesystem...)
	batch := appendClock(make([]byte, batchHead), r.m.clock.reserved)
	for r0, n := range r.m.tree.all() {
		batch = append(batch, recDir, byte(n.flags&(flagUnknown|flagUnlisted|flagGhost)))
		batch = appendID(batch, n.id)
		batch = binary.LittleEndian.AppendUint64(batch, n.own)
		batch = append(batch, n.digest[:]...)
		batch = appendPlace(batch, r.m.tree, place{r.m.tree.at(r0).parent, n.name})
	}
	sealBatch(batch)
	binary.LittleEndian.PutUint64(b[at:], uint64(len(b)+4+len(batch)))
	b = append(binary.LittleEndian.AppendUint32(b, crc(b)), batch...)
	r.setIndex(b)
	r.crash()
	r.expect("xtimes", before, r.xtimes())
	r.fs.natively()
	if p := r.look(); !p.Swept || p.Changed {
		t.Errorf("first pass: %+v", p)
	}
	r.crash()
	r.fs.listed = 0
	if p := r.look(); p.Swept || r.fs.listed != 0 || p.Entries == 0 || p.Bytes == 0 {
		t.Errorf("after a restart: %+v", p)
	}
	r.expect("xtimes", before, r.xtimes())
}
