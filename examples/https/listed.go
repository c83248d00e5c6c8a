package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/gsyncd/gsyncd-host/examples/https/manifest"
	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/catalog"
	"github.com/gsyncd/gsyncd-host/sdk/grant"
)

// listed is a tree with a manifest.
type listed struct {
	web  *web
	path sdk.Path // of the manifest
	most int64

	turn chan struct{} // holds one token, that of who may change now
	now  *edition
}

var _ index = (*listed)(nil)

// maxTarget is the longest target of a symlink, that of Linux.
const maxTarget = 4095

// edition is one version of a manifest.
type edition struct {
	stamp   stamp
	changed sdk.Time // what new entries have as change time
	settled bool     // a change that came later would show in the stamp
	tree    *catalog.Tree
	sums    [][sha256.Size]byte // of files, by Ref
}

var _ view = (*catalog.Tree)(nil)

func newListed(w *web, p sdk.Path, most int64) *listed {
	l := &listed{web: w, path: p, most: most, turn: make(chan struct{}, 1)}
	l.turn <- struct{}{}
	return l
}

func (l *listed) mode() string  { return byManifest }
func (l *listed) probe() string { return l.web.url(l.path) }

// current implements index.
func (l *listed) current(ctx context.Context, sure bool) (view, error) {
	e, err := l.look(ctx, sure)
	if err != nil {
		return nil, err
	}
	return e.tree, nil
}

// look asks the server for its manifest, unless it is the one known. Where asked
// it takes one again that could have changed since without showing it.
func (l *listed) look(ctx context.Context, sure bool) (*edition, error) {
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-l.turn:
	}
	defer func() { l.turn <- struct{}{} }()
	var fields []grant.Field
	if l.now != nil && (l.now.settled || !sure) {
		if l.now.stamp.etag != "" {
			fields = append(fields, grant.Field{Name: "If-None-Match", Value: l.now.stamp.etag})
		} else if l.now.stamp.modified != "" {
			fields = append(fields, grant.Field{Name: "If-Modified-Since", Value: l.now.stamp.modified})
		}
	}
	resp, err := l.web.send(ctx, "GET", l.probe(), fields...)
	if err != nil {
		return nil, fmt.Errorf("get the manifest: %w", err)
	}
	defer resp.Body.Close()
	switch {
	case resp.Status == 304 && len(fields) > 0:
		return l.now, nil
	case resp.Status != 200:
		return nil, fmt.Errorf("get the manifest: %w", statusError("GET "+l.probe(), resp.Status))
	}
	e, err := l.take(ctx, resp)
	if err != nil {
		return nil, err
	}
	l.now = e
	return e, nil
}

// take makes an edition of a manifest.
func (l *listed) take(ctx context.Context, resp *grant.Response) (*edition, error) {
	e := &edition{stamp: stampOf(resp), changed: dateOf(resp)}
	if made := e.stamp.mtime(); !made.IsZero() {
		e.settled = made.Compare(e.changed.Add(-int64(window))) < 0
		// What is new to us may have been put there with an old time. Only in the
		// beginning the time is all there is to go by.
		if l.now == nil && made.Compare(e.changed) < 0 {
			e.changed = made
		}
	}
	b := catalog.NewBuilder(l.web.rootID(), e.changed, 0, 0)
	err := manifest.Read(resp.Body, func(m manifest.Entry) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		e.add(b, m)
		if int64(b.Len()) > l.most {
			return &sdk.Error{Kind: sdk.KindFatal, Op: "read the manifest", Msg: fmt.Sprintf("it has more entries than %s allows, which is %d", attrEntries, l.most)}
		}
		return nil
	})
	var own *sdk.Error
	switch {
	case err == nil:
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case errors.As(err, &own):
		return nil, err
	default:
		return nil, &sdk.Error{Kind: sdk.KindTransient, Op: "read the manifest", Msg: l.probe() + ": " + err.Error()}
	}
	e.tree = b.Tree()
	if l.now != nil {
		e.tree.Carry(l.now.tree)
	}
	return e, nil
}

// add puts a line into the tree.
func (e *edition) add(b *catalog.Builder, m manifest.Entry) {
	name, err := manifest.Decode(m.Path)
	if err != nil {
		b.Bad(m.Path, err.Error())
		return
	}
	it, err := e.item(&m)
	if err != nil {
		it = catalog.Item{Entry: sdk.Entry{Err: &sdk.Error{Kind: sdk.KindUnsupported, Op: "read", Msg: "its line in the manifest " + err.Error()}}}
	}
	b.Add(name, it)
}

func (e *edition) item(m *manifest.Entry) (it catalog.Item, err error) {
	perm, err := m.Perm()
	if err != nil {
		return it, err
	}
	it.Entry = sdk.Entry{Perm: sdk.Perm(perm), UID: m.UID, GID: m.GID}
	if !m.Mtime.IsZero() {
		it.Entry.Mtime = sdk.Time{Sec: m.Mtime.Unix(), Nsec: uint32(m.Mtime.Nanosecond())}
	}
	switch m.Type {
	case manifest.File, "":
		sum, err := m.Sum()
		if err != nil {
			return it, err
		}
		if m.Size < 0 {
			return it, fmt.Errorf("has the size %d", m.Size)
		}
		it.Entry.Type, it.Entry.Size = sdk.TypeRegular, m.Size
		it.Ref, it.Version = len(e.sums), fmt.Sprintf("%x %d.%d", sum, it.Entry.Mtime.Sec, it.Entry.Mtime.Nsec)
		e.sums = append(e.sums, sum)
	case manifest.Dir:
		it.Entry.Type = sdk.TypeDir
	case manifest.Symlink:
		it.Entry.Type, it.Entry.Perm = sdk.TypeSymlink, 0o777
		it.Entry.Target, err = url.PathUnescape(m.Target)
		switch n := len(it.Entry.Target); {
		case err != nil || n == 0 || strings.IndexByte(it.Entry.Target, 0) >= 0:
			return it, fmt.Errorf("has the target %.200q", m.Target)
		case n > maxTarget:
			return it, fmt.Errorf("has a target of %d bytes; up to %d are possible", n, maxTarget)
		}
	default:
		return it, fmt.Errorf("has the unknown type %.40q", m.Type)
	}
	return it, nil
}

// seen gives the edition that was last looked at.
func (l *listed) seen(ctx context.Context) (*edition, error) {
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-l.turn:
	}
	defer func() { l.turn <- struct{}{} }()
	return l.now, nil
}

// read implements index. What arrives is held against the manifest, so it does not
// matter if that is the newest.
func (l *listed) read(ctx context.Context, paths []sdk.Path, sink sdk.ReadSink) error {
	e, err := l.seen(ctx)
	if err != nil {
		return err
	}
	buf := make([]byte, sdk.MaxChunk)
	for i, p := range paths {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := l.file(ctx, e, i, p, buf, sink); err != nil {
			return err
		}
	}
	return nil
}

// file sends one file. Its error is the sink's or the context's.
func (l *listed) file(ctx context.Context, e *edition, i int, p sdk.Path, buf []byte, sink sdk.ReadSink) error {
	entry, ref, bad := e.tree.File(p)
	if bad != nil {
		return sink.EndFile(i, nil, bad)
	}
	if err := sink.BeginFile(i, &entry); err != nil {
		return err
	}
	h := sha256.New()
	f := fetch{web: l.web, to: l.web.url(p), size: entry.Size, sink: sink, also: h}
	err := f.run(ctx, buf)
	switch {
	case f.sinkErr != nil:
		return f.sinkErr
	case ctx.Err() != nil:
		return ctx.Err()
	case err == nil && [sha256.Size]byte(h.Sum(nil)) != e.sums[ref]:
		err = &sdk.Error{Kind: sdk.KindChanged, Op: "read", Msg: "what the server sends has not the sha256 that the manifest says; is the manifest older or newer?"}
	}
	if err != nil {
		return sink.EndFile(i, nil, sdk.NewError("read", p, err))
	}
	return sink.EndFile(i, &entry, nil)
}
