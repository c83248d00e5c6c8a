package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"time"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/grant"
)

// doer sends requests: a [grant.Set].
type doer interface {
	Do(ctx context.Context, req *grant.Request) (*grant.Response, error)
}

// web is a server, and the URL of a tree there.
type web struct {
	do    doer
	base  string // ends in "/"
	piece int64
	log   *slog.Logger
}

// url is that of a path. The tree's names are bytes; all that could mean something
// else is encoded.
func (w *web) url(p sdk.Path) string {
	if p == sdk.Root {
		return w.base
	}
	parts := strings.Split(string(p), "/")
	for i := range parts {
		parts[i] = url.PathEscape(parts[i])
	}
	return w.base + strings.Join(parts, "/")
}

// dirURL is that of a directory.
func (w *web) dirURL(p sdk.Path) string {
	if p == sdk.Root {
		return w.base
	}
	return w.url(p) + "/"
}

// send sends a request. Its answer has the status 200, 206 or 304; any other is an
// error of a fitting kind.
func (w *web) send(ctx context.Context, method, to string, fields ...grant.Field) (*grant.Response, error) {
	resp, err := w.do.Do(ctx, &grant.Request{Method: method, URL: to, Header: fields})
	if err != nil {
		return nil, err
	}
	if coding := resp.Get("Content-Encoding"); coding != "" && coding != "identity" {
		resp.Body.Close()
		return nil, &sdk.Error{Kind: sdk.KindUnsupported, Op: method + " " + to, Msg: fmt.Sprintf("the server sends it packed (%.20q), although it was asked not to", coding)}
	}
	switch resp.Status {
	case 200, 206, 304:
		return resp, nil
	}
	resp.Body.Close()
	return nil, statusError(method+" "+to, resp.Status)
}

func statusError(op string, status int) error {
	e := &sdk.Error{Kind: sdk.KindFatal, Op: op, Msg: fmt.Sprintf("the server says %d", status)}
	switch {
	case status == 404 || status == 410:
		e.Kind = sdk.KindNotExist
	case status == 401 || status == 403 || status == 407:
		e.Kind = sdk.KindPermission
		e.Msg += "; credentials are a header of the plugin's http grant"
	case status == 412 || status == 416:
		e.Kind = sdk.KindChanged
	case status >= 500 || status == 408 || status == 425 || status == 429:
		e.Kind = sdk.KindTransient
	}
	return e
}

// stamp is what a response tells of the version of what it is of.
type stamp struct {
	length   int64 // -1: not known
	etag     string
	modified string // as it was sent
}

func stampOf(r *grant.Response) stamp {
	return stamp{r.Length, r.Get("Etag"), r.Get("Last-Modified")}
}

// mtime is the time of the last modification; zero if it is not told.
func (s *stamp) mtime() sdk.Time {
	t, _ := parseTime(s.modified)
	return t
}

// validator is what a range may be asked for by, "" if there is nothing good
// enough.
func (s *stamp) validator() string {
	if s.etag != "" && !strings.HasPrefix(s.etag, "W/") {
		return s.etag
	}
	return s.modified
}

// same reports whether two responses are of one version.
func (s *stamp) same(o *stamp) bool { return s.etag == o.etag && s.modified == o.modified }

// timeFormat is that of headers.
const timeFormat = "Mon, 02 Jan 2006 15:04:05 GMT"

func parseTime(s string) (sdk.Time, bool) {
	t, err := time.Parse(timeFormat, s)
	if err != nil {
		return sdk.Time{}, false
	}
	return sdk.Time{Sec: t.Unix()}, true
}

// head asks what is at a URL. Where that leads elsewhere it is no file.
func (w *web) head(ctx context.Context, to string) (stamp, error) {
	resp, err := w.send(ctx, "HEAD", to)
	if err != nil {
		return stamp{}, err
	}
	defer resp.Body.Close()
	if resp.Status != 200 {
		return stamp{}, statusError("HEAD "+to, resp.Status)
	}
	if !sameURL(resp.URL, to) {
		return stamp{}, elsewhere(to, resp.URL)
	}
	return stampOf(resp), nil
}

func elsewhere(from, to string) error {
	return &sdk.Error{Kind: sdk.KindChanged, Op: "GET " + from, Msg: "the server sends on to " + to}
}

// sameURL reports whether two URLs are one, however they are encoded.
func sameURL(a, b string) bool {
	u, err := url.Parse(a)
	v, bad := url.Parse(b)
	return err == nil && bad == nil && u.Host == v.Host && u.Path == v.Path && u.RawQuery == v.RawQuery
}

// window is how far back a time may lie by which a server stamps a change that is
// still to come: its times are of whole seconds.
const window = 2500 * time.Millisecond

// clock reads the server's clock: it is the one by which it stamps changes.
func (w *web) clock(ctx context.Context, to string) (sdk.Beacon, error) {
	resp, err := w.send(ctx, "HEAD", to)
	if err != nil {
		return sdk.Beacon{}, err
	}
	defer resp.Body.Close()
	return sdk.Beacon{Now: dateOf(resp), Window: window}, nil
}

// dateOf is when a response was made; without a date, now.
func dateOf(r *grant.Response) sdk.Time {
	if t, ok := parseTime(r.Get("Date")); ok {
		return t
	}
	now := time.Now()
	return sdk.Time{Sec: now.Unix(), Nsec: uint32(now.Nanosecond())}
}
