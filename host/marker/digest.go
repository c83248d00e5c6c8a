package marker

import (
	"crypto/sha256"
	"encoding/binary"
	"hash"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// digest is what a directory looked like: the first half of a SHA-256, so that
// nobody who may name files in the tree can make two states look alike.
type digest [16]byte

// Kinds of packed rows, so that no row can be read as another.
const (
	rowSelf  = 's'
	rowDir   = 'd'
	rowMount = 'm'
	rowOther = 'o'
	rowError = 'e'
)

// digester packs entries and hashes them, through one buffer for all
// directories of a pass.
type digester struct {
	h   hash.Hash
	buf []byte
	sum [sha256.Size]byte

	// young: a Ctime after it may be given out again. future: a Ctime after it
	// was not given out by this run of the filesystem's clock.
	young  sdk.Time
	future sdk.Time
	racy   bool
}

const digestBuffer = 8 << 10

func newDigester() *digester {
	return &digester{h: sha256.New(), buf: make([]byte, 0, digestBuffer)}
}

// reset begins the next directory.
func (d *digester) reset(young, future sdk.Time) {
	d.h.Reset()
	d.buf = d.buf[:0]
	d.young, d.future, d.racy = young, future, false
}

// self adds the directory's own attributes. They belong to its own digest, not
// to its parent's: whoever changes them must cause a visit to the directory.
func (d *digester) self(e *sdk.Entry) {
	d.begin(rowSelf, "")
	b := d.buf
	b = append(b, byte(e.Type), d.age(e))
	b = appendAttrs(b, e)
	b = appendTime(b, e.Mtime)
	d.buf = appendTime(b, e.Ctime)
}

// entry adds one entry. Of a directory only what ties it to its place is taken.
func (d *digester) entry(e *sdk.Entry) {
	switch {
	case e.Type == sdk.TypeDir && e.Mount:
		// Nobody will enter it, so what can be mirrored of it counts here.
		d.begin(rowMount, e.Name)
		d.buf = appendAttrs(appendID(d.buf, e.ID), e)
	case e.Type == sdk.TypeDir:
		d.begin(rowDir, e.Name)
		d.buf = appendID(d.buf, e.ID)
	case e.Type == sdk.TypeUnknown:
		d.begin(rowError, e.Name)
		var kind sdk.Kind
		if e.Err != nil {
			kind = e.Err.Kind
		}
		d.buf = append(d.buf, byte(kind))
	default:
		d.begin(rowOther, e.Name)
		b := append(d.buf, byte(e.Type), d.age(e))
		b = appendID(b, e.ID)
		b = appendAttrs(b, e)
		b = appendTime(b, e.Mtime)
		b = appendTime(b, e.Ctime)
		b = binary.LittleEndian.AppendUint64(b, uint64(e.Size))
		b = binary.LittleEndian.AppendUint32(b, e.Nlink)
		b = binary.LittleEndian.AppendUint32(b, e.Major)
		d.buf = binary.LittleEndian.AppendUint32(b, e.Minor)
	}
}

// age notes an entry that is too young to be trusted. A change time far in the
// future is no such thing, or its directory would count as changed for years.
// It is part of the digest instead whether it is: when the clock gets there the
// digest differs, and the entry is young then.
func (d *digester) age(e *sdk.Entry) byte {
	t := e.Ctime
	if t.IsZero() {
		t = e.Mtime // a driver without change times
	}
	switch {
	case t.Compare(d.young) <= 0:
	case t.Compare(d.future) > 0:
		return 1
	default:
		d.racy = true
	}
	return 0
}

// marked notes a directory whose native xtime is too young: a storage that keeps
// xtimes may show what it caches of attributes as they were just before. The
// window is at least as long as it does.
func (d *digester) marked(x sdk.NativeXTime) {
	if t := x.Time(); t.Compare(d.young) > 0 && t.Compare(d.future) <= 0 {
		d.racy = true
	}
}

// done ends the directory.
func (d *digester) done() (sum digest, racy bool) {
	d.h.Write(d.buf)
	d.buf = d.buf[:0]
	copy(sum[:], d.h.Sum(d.sum[:0]))
	return sum, d.racy
}

// begin starts a row; the longest one has room in the buffer after it.
func (d *digester) begin(kind byte, name string) {
	if len(d.buf)+len(name)+128 > digestBuffer {
		d.h.Write(d.buf)
		d.buf = d.buf[:0]
	}
	d.buf = append(d.buf, kind)
	d.buf = binary.LittleEndian.AppendUint32(d.buf, uint32(len(name)))
	d.buf = append(d.buf, name...)
}

func appendID(b []byte, id sdk.FileID) []byte {
	b = binary.LittleEndian.AppendUint64(b, id.Ino)
	return binary.LittleEndian.AppendUint64(b, id.Gen)
}

func appendTime(b []byte, t sdk.Time) []byte {
	b = binary.LittleEndian.AppendUint64(b, uint64(t.Sec))
	return binary.LittleEndian.AppendUint32(b, t.Nsec)
}

func appendAttrs(b []byte, e *sdk.Entry) []byte {
	b = binary.LittleEndian.AppendUint16(b, uint16(e.Perm))
	b = binary.LittleEndian.AppendUint32(b, e.UID)
	return binary.LittleEndian.AppendUint32(b, e.GID)
}
