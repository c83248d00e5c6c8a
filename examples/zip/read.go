package main

import (
	"context"
	"fmt"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// wanted is a file of a Read.
type wanted struct {
	entry sdk.Entry
	ref   int
	err   *sdk.Error
}

// Read implements sdk.Source.
func (s *source) Read(ctx context.Context, paths []sdk.Path, sink sdk.ReadSink) error {
	ctx, leave, err := s.life.Enter(ctx, "read")
	if err != nil {
		return err
	}
	defer leave()
	st, err := s.current(ctx, false)
	if err != nil {
		return err
	}
	defer s.release(st)
	files := make([]wanted, len(paths))
	var refs []int
	for i, p := range paths {
		w := &files[i]
		if w.entry, w.ref, w.err = st.tree.File(p); w.err == nil {
			refs = append(refs, w.ref)
		}
	}
	r := st.box.reader(refs)
	defer r.close()
	buf := make([]byte, sdk.MaxChunk)
	for i := range files {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := s.file(ctx, st, r, i, paths[i], &files[i], buf, sink); err != nil {
			return err
		}
	}
	return nil
}

// file sends one file. Its error is the sink's or the context's.
func (s *source) file(ctx context.Context, st *state, r reader, i int, p sdk.Path, w *wanted, buf []byte, sink sdk.ReadSink) error {
	bad := func(err error) error {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return sink.EndFile(i, nil, sdk.NewError("read", p, err))
	}
	if w.err != nil {
		return bad(w.err)
	}
	data, err := r.data(ctx, w.ref)
	if err != nil {
		return bad(err)
	}
	if err := sink.BeginFile(i, &w.entry); err != nil {
		return err
	}
	sum, err, sinkErr := send(ctx, data, w.entry.Size, r.sparse(w.ref), buf, sink)
	if sinkErr != nil {
		return sinkErr
	}
	if err == nil && !r.right(w.ref, sum) {
		err = fmt.Errorf("its data is not what it was when the archive was looked through")
	}
	// What is wrong with the data may be that the archive was overwritten.
	if changed := s.unchanged(ctx, st); changed != nil {
		err = changed
	}
	if err != nil {
		return bad(err)
	}
	return sink.EndFile(i, &w.entry, nil)
}
