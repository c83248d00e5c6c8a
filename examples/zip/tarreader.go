package main

import (
	"archive/tar"
	"bytes"
	"context"
	"io"
	"slices"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// tarReader reads some files of a tar archive. In a compressed one there is no
// going back, only beginning anew: on its way to one file it keeps others that are
// wanted later, if they are small.
type tarReader struct {
	box    *tarBox
	stream *stream
	left   map[int]int    // how often each file is still wanted
	order  []int          // the wanted files by their place in the archive
	kept   map[int][]byte // those met on the way
	room   int64          // bytes for more of them
}

var _ reader = (*tarReader)(nil)

// reader implements box.
func (t *tarBox) reader(refs []int) reader {
	t.mu.Lock()
	s := t.idle
	t.idle = nil
	t.mu.Unlock()
	if s == nil {
		s = t.stream()
	}
	r := &tarReader{box: t, stream: s, left: map[int]int{}, kept: map[int][]byte{}, room: t.memory}
	for _, ref := range refs {
		r.left[ref]++
	}
	for ref := range r.left {
		r.order = append(r.order, ref)
	}
	slices.Sort(r.order) // files are numbered as they come
	return r
}

// data implements reader.
func (r *tarReader) data(ctx context.Context, ref int) (io.Reader, error) {
	r.left[ref]--
	if b, ok := r.kept[ref]; ok {
		if r.left[ref] <= 0 {
			delete(r.kept, ref)
			r.room += int64(len(b))
		}
		return bytes.NewReader(b), nil
	}
	if r.stream.packed {
		if err := r.keep(ctx, ref); err != nil {
			return nil, err
		}
	}
	return r.open(ctx, ref)
}

// keep reads what is wanted later and lies on the way to a file.
func (r *tarReader) keep(ctx context.Context, to int) error {
	from := r.stream.at
	if from > r.box.files[to].at {
		from = 0
	}
	for _, ref := range r.order {
		f := &r.box.files[ref]
		if ref >= to {
			break
		}
		if f.at < from || r.left[ref] <= 0 || f.size > r.room || r.kept[ref] != nil {
			continue
		}
		data, err := r.open(ctx, ref)
		if err != nil {
			return err
		}
		b := make([]byte, f.size)
		if _, err := io.ReadFull(data, b); err != nil {
			return tarError(err)
		}
		r.kept[ref] = b
		r.room -= f.size
	}
	return nil
}

// open goes to a file in the stream.
func (r *tarReader) open(ctx context.Context, ref int) (io.Reader, error) {
	f := &r.box.files[ref]
	if err := r.stream.seek(ctx, f.at); err != nil {
		return nil, tarError(err)
	}
	tr := tar.NewReader(r.stream)
	h, err := tr.Next()
	if err != nil {
		return nil, tarError(err)
	}
	if h.Name != f.name || h.Size != f.size {
		return nil, &sdk.Error{Kind: sdk.KindChanged, Op: "read", Msg: "the archive was changed"}
	}
	return tr, nil
}

// right implements reader.
func (r *tarReader) right(ref int, sum uint64) bool { return r.box.files[ref].sum == sum }

// sparse implements reader.
func (r *tarReader) sparse(ref int) bool { return r.box.files[ref].holes }

// close implements reader.
func (r *tarReader) close() {
	r.box.mu.Lock()
	defer r.box.mu.Unlock()
	r.box.idle = r.stream
}
