package marker

import "github.com/gsyncd/gsyncd-host/sdk"

// linkBatch gathers the entries with several names of a listing under way.
type linkBatch struct {
	items []linkItem
	buf   []byte
}

// linkItem is one of them.
type linkItem struct {
	id    sdk.FileID
	when  sdk.Time
	size  int64 // of a regular file
	nlink uint32
	end   uint32 // of its name in buf
}

func (b *linkBatch) reset() { b.items, b.buf = b.items[:0], b.buf[:0] }

func (b *linkBatch) add(e *sdk.Entry) {
	item := linkItem{id: e.ID, when: e.Ctime, nlink: e.Nlink}
	if item.when.IsZero() {
		item.when = e.Mtime // a driver without change times
	}
	if e.Type == sdk.TypeRegular {
		item.size = e.Size
	}
	b.put(item, e.Name)
}

func (b *linkBatch) put(item linkItem, name string) {
	b.buf = append(b.buf, name...)
	item.end = uint32(len(b.buf))
	b.items = append(b.items, item)
}

// name gives the name of item i, valid until the next reset.
func (b *linkBatch) name(i int) []byte {
	begin := uint32(0)
	if i > 0 {
		begin = b.items[i-1].end
	}
	return b.buf[begin:b.items[i].end]
}
