package marker

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// loaded is what an index file held.
type loaded struct {
	head  header
	clock uint64 // no value up to it may be given out
	tree  *tree
	moves moves
	swept swept
	point kept
	names map[ref]*linkBatch // of files with several, by directory
	size  int64              // of what is sound; what follows is to be cut off
}

// load reads an index. An error that wraps errDamaged says that nothing in it
// can be relied on.
func load(src io.Reader) (*loaded, error) {
	r := bufio.NewReaderSize(src, 1<<20)
	head, size, err := readHeader(r)
	if err != nil {
		return nil, err
	}
	in := replay{
		out:    &loaded{head: head, tree: newTree(), moves: moves{}, size: size, names: map[ref]*linkBatch{}},
		from:   make(map[ref]fromPlace),
		staged: make(map[sdk.FileID]*linkBatch),
	}
	var batch []byte
	for {
		batch, err = readBatch(r, batch[:0])
		if err != nil {
			return nil, fmt.Errorf("read the index: %w", err)
		}
		payload, ok := batchAt(batch)
		if !ok {
			break
		}
		if err := in.batch(payload); err != nil {
			return nil, fmt.Errorf("%w: %w", errDamaged, err)
		}
		in.out.size += int64(len(batch))
	}
	if in.out.size < head.snap {
		return nil, fmt.Errorf("%w: at byte %d", errDamaged, in.out.size)
	}
	if len(batch) > 0 {
		// A torn batch is the last thing in a file. If a sound one follows it,
		// what lies between was once written and is lost.
		rest, err := io.ReadAll(r)
		if err != nil {
			return nil, fmt.Errorf("read the index: %w", err)
		}
		if followed(append(batch, rest...)) {
			return nil, fmt.Errorf("%w: at byte %d", errDamaged, in.out.size)
		}
	}
	in.finish()
	return in.out, nil
}

// readBatch reads a batch into buf, or as much as there is of one.
func readBatch(r io.Reader, buf []byte) ([]byte, error) {
	buf, err := readUpTo(r, buf, batchHead)
	if err != nil || len(buf) < batchHead || string(buf[:4]) != batchMagic {
		return buf, err
	}
	n := binary.LittleEndian.Uint32(buf[4:])
	if n > maxBatch {
		return buf, nil
	}
	return readUpTo(r, buf, int(n))
}

// readUpTo appends n bytes, or fewer at the end of the file.
func readUpTo(r io.Reader, buf []byte, n int) ([]byte, error) {
	for n > 0 {
		step := min(n, 1<<20) // a length that lies must not cost memory
		at := len(buf)
		buf = append(buf, make([]byte, step)...)
		got, err := io.ReadFull(r, buf[at:])
		buf = buf[:at+got]
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return buf, nil
		}
		if err != nil {
			return buf, err
		}
		n -= step
	}
	return buf, nil
}

// followed reports whether a sound batch begins anywhere after b's first byte.
// No name can look like one: the length in its head has zero bytes.
func followed(b []byte) bool {
	for len(b) > 1 {
		b = b[1:]
		i := bytes.Index(b, []byte(batchMagic))
		if i < 0 {
			return false
		}
		b = b[i:]
		if _, ok := batchAt(b); ok {
			return true
		}
	}
	return false
}

// replay applies records in their order.
type replay struct {
	out  *loaded
	from map[ref]fromPlace
	// staged are names whose directory's record is still to come, as it is not if
	// a crash came between them.
	staged map[sdk.FileID]*linkBatch
}

// fromPlace is a place whose directory is not looked up yet.
type fromPlace struct {
	parent sdk.FileID
	name   string
}

func (in *replay) batch(b []byte) error {
	for len(b) > 0 {
		rec, rest, err := decodeRecord(b, in.out.head.version)
		if err != nil {
			return err
		}
		b = rest
		switch rec.kind {
		case recClock:
			in.out.clock = rec.clock
		case recForget:
			if rec.id == in.out.head.ident.Root {
				return fmt.Errorf("the root is forgotten")
			}
			if r, ok := in.out.tree.byID[rec.id]; ok {
				// Children that still name it are moved by a later record, or
				// gone as well.
				n := in.out.tree.at(r)
				*n = node{id: n.id, flags: flagUnknown | flagGhost}
				delete(in.from, r)
			}
		case recNative:
			if r, ok := in.out.tree.byID[rec.id]; ok {
				n := in.out.tree.at(r)
				n.native = rec.native
				n.flags |= flagNative
			}
		case recSwept:
			in.out.swept = rec.swept
		case recPoint:
			in.out.point = rec.point
		case recNames:
			if err := in.stage(rec); err != nil {
				return err
			}
		case recDir:
			if err := in.dir(rec); err != nil {
				return err
			}
		}
	}
	return nil
}

func (in *replay) stage(rec record) error {
	if rec.first {
		in.staged[rec.id] = rec.names
		return nil
	}
	b := in.staged[rec.id]
	if b == nil {
		return fmt.Errorf("names without a beginning")
	}
	return b.join(rec.names)
}

func (in *replay) dir(rec record) error {
	isRoot := rec.id == in.out.head.ident.Root
	if isRoot != rec.parent.IsZero() {
		return fmt.Errorf("directory %q is no root", rec.name)
	}
	if isRoot && rec.flags&flagGhost != 0 {
		return fmt.Errorf("the root is gone")
	}
	t := in.out.tree
	r := in.node(rec.id)
	var parent ref
	if isRoot {
		t.root = r
	} else {
		parent = in.node(rec.parent)
	}
	*t.at(r) = node{id: rec.id, own: rec.own, digest: rec.digest, name: rec.name,
		bytes: rec.counts.bytes, entries: rec.counts.entries, native: rec.native,
		parent: parent, flags: rec.flags &^ (flagMoved | flagNamed)}
	delete(in.from, r)
	delete(in.out.names, r)
	if rec.flags&flagNamed != 0 {
		if in.out.names[r] = in.staged[rec.id]; in.out.names[r] == nil {
			return fmt.Errorf("directory %q without its names", rec.name)
		}
	}
	delete(in.staged, rec.id)
	if rec.flags&flagMoved != 0 {
		in.from[r] = fromPlace{rec.fromParent, rec.fromName}
	}
	return nil
}

// node finds a node, or makes one whose record is still to come.
func (in *replay) node(id sdk.FileID) ref {
	if r, ok := in.out.tree.byID[id]; ok {
		return r
	}
	r := in.out.tree.add(id, place{})
	in.out.tree.at(r).flags = flagUnknown | flagGhost
	return r
}

// finish puts together what only all records say.
func (in *replay) finish() {
	t := in.out.tree
	t.settle()
	for _, n := range t.all() {
		in.out.clock = max(in.out.clock, n.own)
	}
	for r := range in.out.names {
		if n := t.at(r); n.id.IsZero() || n.is(flagGhost) {
			delete(in.out.names, r)
		}
	}
	for r, from := range in.from {
		parent, ok := t.byID[from.parent]
		n := t.at(r)
		if !ok || n.id.IsZero() || n.is(flagGhost) {
			continue
		}
		at := place{n.parent, n.name}
		in.out.moves[r] = &pending{from: place{parent, from.name}, to: at}
	}
}
