package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/catalog"
)

// live is a tree without a manifest: the server lists its directories.
type live struct {
	web  *web
	most int64
}

var _ index = (*live)(nil)

func (l *live) mode() string  { return byListing }
func (l *live) probe() string { return l.web.base }

// current implements index.
func (l *live) current(ctx context.Context, sure bool) (view, error) {
	v := l.view()
	if sure {
		if _, err := v.names(ctx, sdk.Root); err != nil {
			return nil, err
		}
	}
	return v, nil
}

// look is what one call asks of the server: each directory once.
type look struct {
	*live
	dirs map[sdk.Path]*dir
}

var _ view = (*look)(nil)

func (l *live) view() *look { return &look{live: l, dirs: map[sdk.Path]*dir{}} }

// dir is a directory's listing.
type dir struct {
	found map[string]*found
	order []string
	mtime sdk.Time // as the listing's own header has it
	err   error
}

// found is what a listing tells of a name.
type found struct {
	dir   bool
	size  int64 // -1: not told
	mtime sdk.Time
	bad   error
}

// names lists a directory.
func (v *look) names(ctx context.Context, p sdk.Path) (*dir, error) {
	if d := v.dirs[p]; d != nil {
		return d, d.err
	}
	d := &dir{}
	d.err = v.fill(ctx, p, d)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	v.dirs[p] = d
	return d, d.err
}

func (v *look) fill(ctx context.Context, p sdk.Path, d *dir) error {
	to := v.web.dirURL(p)
	resp, err := v.web.send(ctx, "GET", to)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.Status != 200 {
		return statusError("GET "+to, resp.Status)
	}
	if !sameURL(resp.URL, to) {
		return elsewhere(to, resp.URL)
	}
	is := stampOf(resp)
	d.mtime = is.mtime()
	if d.found, err = parseListing(resp.Body, v.most); err != nil {
		return sdk.NewError("list "+to, "", err)
	}
	for name := range d.found {
		d.order = append(d.order, name)
	}
	slices.Sort(d.order)
	return nil
}

// entry describes a name of a listing. What the listing does not tell is asked for.
// A name that the server lists and does not know is one that cannot be read. It may
// be gone by now; then the next listing does not have it. The error is the
// context's.
func (v *look) entry(ctx context.Context, p sdk.Path, f *found) (sdk.Entry, error) {
	if f.bad != nil {
		return sdk.Entry{Name: p.Base(), Err: sdk.NewError("stat", p, f.bad)}, nil
	}
	if f.size < 0 {
		to := v.web.url(p)
		if f.dir {
			to = v.web.dirURL(p)
		}
		is, err := v.web.head(ctx, to)
		switch {
		case ctx.Err() != nil:
			return sdk.Entry{}, ctx.Err()
		case err == nil && !f.dir && is.length < 0:
			err = &sdk.Error{Kind: sdk.KindUnsupported, Op: "HEAD " + to, Msg: "the server does not say how long it is"}
		}
		if err != nil {
			return sdk.Entry{Name: p.Base(), Err: sdk.NewError("stat", p, err)}, nil
		}
		f = &found{dir: f.dir, size: is.length, mtime: is.mtime()}
	}
	if f.dir {
		return dirEntry(p, f.mtime), nil
	}
	return fileEntry(p, f.size, f.mtime), nil
}

func dirEntry(p sdk.Path, mtime sdk.Time) sdk.Entry {
	return sdk.Entry{Name: p.Base(), Type: sdk.TypeDir, Perm: 0o755, Nlink: 2, Mtime: mtime, ID: catalog.DirID(p)}
}

// fileEntry has no change time: there is nothing but the time of the last
// modification that a server tells.
func fileEntry(p sdk.Path, size int64, mtime sdk.Time) sdk.Entry {
	return sdk.Entry{Name: p.Base(), Type: sdk.TypeRegular, Perm: 0o644, Nlink: 1, Size: size, Mtime: mtime,
		ID: catalog.FileID(p, fmt.Sprintf("%d %d", size, mtime.Sec))}
}

// self describes a listed directory itself: as its own listing tells or, if that
// tells nothing, as its parent's does.
func (v *look) self(ctx context.Context, p sdk.Path, d *dir) (sdk.Entry, error) {
	if p == sdk.Root {
		e := dirEntry(p, d.mtime)
		e.ID = v.web.rootID()
		return e, nil
	}
	if !d.mtime.IsZero() {
		return dirEntry(p, d.mtime), nil
	}
	e, err := v.one(ctx, p)
	if err == nil && e.Err != nil {
		return e, e.Err
	}
	return e, err
}

// one describes what is at a path.
func (v *look) one(ctx context.Context, p sdk.Path) (sdk.Entry, error) {
	bad := func(kind sdk.Kind, msg string) (sdk.Entry, error) {
		return sdk.Entry{Name: p.Base(), Err: &sdk.Error{Kind: kind, Op: "stat", Path: p, Msg: msg}}, nil
	}
	if err := p.Validate(); err != nil {
		return bad(sdk.KindInput, err.Error())
	}
	if p == sdk.Root {
		d, err := v.names(ctx, p)
		if err != nil {
			return sdk.Entry{}, err
		}
		return v.self(ctx, p, d)
	}
	d, err := v.names(ctx, p.Dir())
	if ctx.Err() != nil {
		return sdk.Entry{}, ctx.Err()
	}
	if err != nil {
		return sdk.Entry{Name: p.Base(), Err: sdk.NewError("stat", p, err)}, nil
	}
	f := d.found[p.Base()]
	if f == nil {
		return bad(sdk.KindNotExist, "")
	}
	return v.entry(ctx, p, f)
}

// Stat implements view.
func (v *look) Stat(ctx context.Context, paths []sdk.Path, _ sdk.Fields) ([]sdk.Entry, error) {
	out := make([]sdk.Entry, len(paths))
	for i, p := range paths {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		var err error
		if out[i], err = v.one(ctx, p); err != nil {
			return nil, err
		}
		if p == sdk.Root {
			out[i].Name = "."
		}
	}
	return out, nil
}

// Scan implements view.
func (v *look) Scan(ctx context.Context, req sdk.ScanRequest, sink sdk.ScanSink) error {
	for i, p := range req.Dirs {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := v.list(ctx, i, p, sink); err != nil {
			return err
		}
	}
	return nil
}

func (v *look) list(ctx context.Context, i int, p sdk.Path, sink sdk.ScanSink) error {
	bad := func(err error) error {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return sink.EndDir(i, sdk.NewError("list", p, err))
	}
	if err := p.Validate(); err != nil {
		return bad(&sdk.Error{Kind: sdk.KindInput, Op: "list", Msg: err.Error()})
	}
	d, err := v.names(ctx, p)
	if err != nil {
		return bad(v.noDirectory(ctx, p, err))
	}
	self, err := v.self(ctx, p, d)
	if err != nil {
		return bad(err)
	}
	self.Name = "."
	if err := sink.BeginDir(i, &self); err != nil {
		return err
	}
	for _, name := range d.order {
		e, err := v.entry(ctx, p.Join(name), d.found[name])
		if err != nil {
			return err
		}
		if err := sink.Entry(&e); err != nil {
			return err
		}
	}
	return sink.EndDir(i, nil)
}

// noDirectory tells what is not there from what is no directory: the server knows
// neither by that URL.
func (v *look) noDirectory(ctx context.Context, p sdk.Path, err error) error {
	if p == sdk.Root || sdk.KindOf(err) == sdk.KindTransient || sdk.KindOf(err) == sdk.KindPermission {
		return err
	}
	if e, bad := v.one(ctx, p); bad == nil && e.Type == sdk.TypeRegular {
		return &sdk.Error{Kind: sdk.KindChanged, Op: "list", Msg: "it is no directory"}
	}
	return err
}

// read implements index.
func (l *live) read(ctx context.Context, paths []sdk.Path, sink sdk.ReadSink) error {
	buf := make([]byte, sdk.MaxChunk)
	for i, p := range paths {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := l.file(ctx, i, p, buf, sink); err != nil {
			return err
		}
	}
	return nil
}

// file sends one file. Nothing but the server's word says that what it sent was
// one version, so it is asked before and after. The error is the sink's or the
// context's.
func (l *live) file(ctx context.Context, i int, p sdk.Path, buf []byte, sink sdk.ReadSink) error {
	bad := func(err error) error {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return sink.EndFile(i, nil, sdk.NewError("read", p, err))
	}
	if err := p.Validate(); err != nil {
		return bad(&sdk.Error{Kind: sdk.KindInput, Op: "read", Msg: err.Error()})
	}
	if p == sdk.Root {
		return bad(&sdk.Error{Kind: sdk.KindChanged, Op: "read", Msg: "it is a directory"})
	}
	to := l.web.url(p)
	before, err := l.web.head(ctx, to)
	if err == nil && before.length < 0 {
		err = &sdk.Error{Kind: sdk.KindUnsupported, Op: "HEAD " + to, Msg: "the server does not say how long it is"}
	}
	if err != nil {
		return bad(err)
	}
	e := fileEntry(p, before.length, before.mtime())
	if err := sink.BeginFile(i, &e); err != nil {
		return err
	}
	f := fetch{web: l.web, to: to, size: before.length, sink: sink, first: &before, inOne: before.validator() == ""}
	if err := f.run(ctx, buf); err != nil {
		if f.sinkErr != nil {
			return f.sinkErr
		}
		return bad(err)
	}
	after, err := l.web.head(ctx, to)
	if err != nil {
		return bad(err)
	}
	if !after.same(&before) || after.length != before.length {
		return bad(&sdk.Error{Kind: sdk.KindChanged, Op: "read", Msg: "it was replaced on the server meanwhile"})
	}
	return sink.EndFile(i, &e, nil)
}
