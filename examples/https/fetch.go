package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/grant"
)

// attempts is how often in a row a transfer may break without a byte.
const attempts = 3

// fetch gets the data of one file. A connection that breaks is taken up again
// where it was, if what is there is still the same.
type fetch struct {
	web  *web
	to   string
	size int64 // what it must be
	sink sdk.ReadSink
	also io.Writer // gets all data as well; may be nil
	// inOne takes a single response to a request for all of it, since nothing would
	// tell if a second one were of another version.
	inOne bool

	off     int64
	first   *stamp // of the first response
	sinkErr error  // the sink's, which ends it
}

// run does it. buf is for one piece of data.
func (f *fetch) run(ctx context.Context, buf []byte) error {
	for fails := 0; f.off < f.size; {
		was := f.off
		err := f.part(ctx, buf)
		switch {
		case f.sinkErr != nil || ctx.Err() != nil:
			return err
		case err == nil:
			fails = 0
			continue
		case sdk.KindOf(err) != sdk.KindTransient || f.inOne && f.off > 0:
			return err
		}
		if fails++; f.off > was {
			fails = 1
		}
		if fails == attempts {
			return err
		}
		f.web.log.Debug("a transfer broke off", "url", f.to, "at", f.off, "error", err)
	}
	return nil
}

// part gets what one request gives.
func (f *fetch) part(ctx context.Context, buf []byte) error {
	end := f.size
	var fields []grant.Field
	if !f.inOne && (f.off > 0 || f.size > f.web.piece) {
		end = min(f.size, f.off+f.web.piece)
		fields = append(fields, grant.Field{Name: "Range", Value: fmt.Sprintf("bytes=%d-%d", f.off, end-1)})
		if f.first != nil && f.first.validator() != "" {
			fields = append(fields, grant.Field{Name: "If-Range", Value: f.first.validator()})
		}
	}
	resp, err := f.web.send(ctx, "GET", f.to, fields...)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if end, err = f.fits(resp, end); err != nil {
		return err
	}
	return f.body(resp.Body, end, buf)
}

// fits reports up to where a response reaches, if it goes on with what there is.
func (f *fetch) fits(resp *grant.Response, end int64) (int64, error) {
	is := stampOf(resp)
	switch {
	case f.first == nil:
		f.first = &is
	case !f.first.same(&is):
		return 0, f.changed("it was replaced on the server meanwhile")
	}
	switch resp.Status {
	case 200:
		if f.off > 0 {
			return 0, f.changed("the server does not go on where it was; it was replaced, or there are no ranges")
		}
		if is.length >= 0 && is.length != f.size {
			return 0, f.changed(fmt.Sprintf("it has %d bytes on the server, not %d", is.length, f.size))
		}
		return f.size, nil
	case 206:
		if f.inOne {
			return 0, &sdk.Error{Kind: sdk.KindUnsupported, Op: "GET " + f.to, Msg: "the server sends a part of it that nobody asked for, and no strong ETag or Last-Modified by which parts could be told to be of one version"}
		}
		from, to, total, err := contentRange(resp.Get("Content-Range"))
		if err != nil {
			return 0, &sdk.Error{Kind: sdk.KindFatal, Op: "GET " + f.to, Msg: err.Error()}
		}
		if total != f.size {
			return 0, f.changed(fmt.Sprintf("it has %d bytes on the server, not %d", total, f.size))
		}
		if from != f.off || to < from || to >= end {
			return 0, &sdk.Error{Kind: sdk.KindFatal, Op: "GET " + f.to, Msg: fmt.Sprintf("the server sends the bytes %d-%d instead of %d-%d", from, to, f.off, end-1)}
		}
		return to + 1, nil
	}
	return 0, statusError("GET "+f.to, resp.Status)
}

func (f *fetch) changed(why string) error {
	return &sdk.Error{Kind: sdk.KindChanged, Op: "GET " + f.to, Msg: why}
}

// contentRange reads "bytes 0-9/100".
func contentRange(s string) (from, to, total int64, err error) {
	text, ok := strings.CutPrefix(s, "bytes ")
	span, all, also := strings.Cut(text, "/")
	a, b, too := strings.Cut(span, "-")
	from, err1 := strconv.ParseInt(a, 10, 64)
	to, err2 := strconv.ParseInt(b, 10, 64)
	total, err3 := strconv.ParseInt(all, 10, 64)
	if !ok || !also || !too || errors.Join(err1, err2, err3) != nil || from < 0 {
		return 0, 0, 0, fmt.Errorf("the server sends a part as %.60q, which is no range with a length", s)
	}
	return from, to, total, nil
}

// body takes a response's bytes up to end. If there are fewer the connection
// broke; if there are more, the file is another.
func (f *fetch) body(r io.Reader, end int64, buf []byte) error {
	for f.off < end {
		p := buf[:min(int64(len(buf)), end-f.off)]
		n, err := io.ReadFull(r, p)
		if n > 0 {
			if f.also != nil {
				_, _ = f.also.Write(p[:n]) // a hash takes everything
			}
			if f.sinkErr = f.sink.Data(f.off, p[:n]); f.sinkErr != nil {
				return f.sinkErr
			}
			f.off += int64(n)
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return &sdk.Error{Kind: sdk.KindTransient, Op: "GET " + f.to, Msg: "the connection ended before the file"}
		}
		if err != nil {
			return err
		}
	}
	if n, _ := io.ReadFull(r, buf[:1]); n > 0 {
		return f.changed(fmt.Sprintf("the server sends more than %d bytes", end))
	}
	return nil
}
