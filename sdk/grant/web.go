//go:build !wasip1

package grant

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gsyncd/gsyncd-host/sdk"
)

const (
	maxRedirects = 10
	// headerTime is how long an origin may take until its headers are there.
	headerTime = time.Minute
	// stallTime is how long it may then send nothing while it is waited for.
	stallTime = time.Minute
)

// web sends requests to granted origins.
type web struct {
	origins []OriginConfig

	mu      sync.Mutex
	clients map[string]*http.Client // by CAFile
}

// errNotGranted is the error of a URL that no grant covers.
type errNotGranted struct{ origin string }

func (e *errNotGranted) Error() string { return e.origin + " is not granted" }

func (w *web) do(ctx context.Context, req *Request) (*Response, error) {
	r, o, err := w.request(ctx, req)
	if err != nil {
		return nil, err
	}
	c, err := w.client(o.CAFile)
	if err != nil {
		return nil, &sdk.Error{Kind: sdk.KindFatal, Op: "read certificates", Msg: err.Error()}
	}
	reading, stop := context.WithCancel(ctx)
	resp, err := c.Do(r.WithContext(reading))
	if err != nil {
		stop()
		return nil, webError(ctx, r, err)
	}
	out := &Response{
		Status: resp.StatusCode, URL: resp.Request.URL.Redacted(), Length: resp.ContentLength,
		Body: &body{ReadCloser: resp.Body, request: r, ctx: ctx, stop: stop},
	}
	if out.Header, err = responseHeader(resp.Header); err != nil {
		out.Body.Close()
		return nil, &sdk.Error{Kind: sdk.KindFatal, Op: operation(r), Msg: err.Error()}
	}
	return out, nil
}

func operation(r *http.Request) string { return r.Method + " " + r.URL.Redacted() }

func (w *web) request(ctx context.Context, req *Request) (*http.Request, *OriginConfig, error) {
	bad := func(kind sdk.Kind, text string) error { return &sdk.Error{Kind: kind, Op: "request", Msg: text} }
	method := req.Method
	switch {
	case method == "":
		method = http.MethodGet
	case method != http.MethodGet && method != http.MethodHead:
		return nil, nil, bad(sdk.KindPermission, fmt.Sprintf("%.20q is not granted: requests are GET and HEAD", method))
	}
	if len(req.URL) > MaxURL || len(req.Header) > maxFields {
		return nil, nil, bad(sdk.KindInput, "the URL or the header is too long")
	}
	r, err := http.NewRequestWithContext(ctx, method, req.URL, nil)
	if err != nil {
		return nil, nil, bad(sdk.KindInput, "unusable URL")
	}
	o := w.find(r.URL)
	if o == nil {
		return nil, nil, bad(sdk.KindPermission, (&errNotGranted{originOf(r.URL)}).Error()+"; allow it in the plugin's block")
	}
	size := 0
	for _, f := range req.Header {
		size += len(f.Name) + len(f.Value)
		if !validToken(f.Name) || strings.ContainsAny(f.Value, "\r\n\x00") || size > MaxHeader {
			return nil, nil, bad(sdk.KindInput, fmt.Sprintf("unusable header %.40q", f.Name))
		}
		if !connectionHeader(f.Name) || strings.EqualFold(f.Name, "Range") {
			r.Header.Add(f.Name, f.Value)
		}
	}
	r.Header.Set("Accept-Encoding", "identity")
	return r, o, o.credentials(r)
}

// credentials adds the configuration's headers to a request.
func (o *OriginConfig) credentials(r *http.Request) error {
	for _, h := range o.Headers {
		v, err := h.resolve(os.LookupEnv)
		if err != nil {
			return &sdk.Error{Kind: sdk.KindFatal, Op: "request", Msg: err.Error()}
		}
		r.Header.Set(h.Name, v)
	}
	return nil
}

// find returns the grant that covers a URL, nil if there is none. Of several it is
// the longest.
func (w *web) find(u *url.URL) *OriginConfig {
	var best *OriginConfig
	for i := range w.origins {
		o := &w.origins[i]
		if o.covers(u) && (best == nil || len(o.URL) > len(best.URL)) {
			best = o
		}
	}
	return best
}

func (o *OriginConfig) covers(u *url.URL) bool {
	g, err := url.Parse(o.URL)
	if err != nil || u.User != nil || originOf(g) != originOf(u) {
		return false
	}
	if g.Path == "" || g.Path == "/" {
		return true
	}
	if hidesSeparator(u) {
		return false
	}
	// A server may resolve dots, also encoded ones and such with parameters, that we
	// would take for names.
	for name := range strings.SplitSeq(u.Path, "/") {
		if name, _, _ = strings.Cut(name, ";"); name == ".." || name == "." {
			return false
		}
	}
	return strings.HasPrefix(u.Path, g.Path)
}

// hidesSeparator reports an encoded slash, or a backslash, which one server takes for
// part of a name and another for the end of one.
func hidesSeparator(u *url.URL) bool {
	p := strings.ToLower(u.EscapedPath())
	return strings.Contains(p, "%2f") || strings.Contains(p, "%5c") || strings.Contains(p, "\\")
}

// originOf is scheme, host and port, in one form.
func originOf(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return u.Scheme + "://" + strings.ToLower(u.Hostname()) + ":" + port
}

// client returns the client for what the certificates in a file vouch for.
func (w *web) client(caFile string) (*http.Client, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if c := w.clients[caFile]; c != nil {
		return c, nil
	}
	conf := &tls.Config{MinVersion: tls.VersionTLS12}
	if caFile != "" {
		var err error
		if conf.RootCAs, err = certificates(caFile); err != nil {
			return nil, err
		}
	}
	t := &http.Transport{
		Proxy: http.ProxyFromEnvironment, TLSClientConfig: conf, DisableCompression: true, ForceAttemptHTTP2: true,
		TLSHandshakeTimeout: headerTime, ResponseHeaderTimeout: headerTime, MaxResponseHeaderBytes: MaxHeader,
		MaxIdleConnsPerHost: 8, IdleConnTimeout: time.Minute,
	}
	c := &http.Client{Transport: t, CheckRedirect: func(r *http.Request, via []*http.Request) error { return w.redirect(r, via, caFile) }}
	if w.clients == nil {
		w.clients = map[string]*http.Client{}
	}
	w.clients[caFile] = c
	return c, nil
}

// certificates reads a CAFile.
func certificates(caFile string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(caFile)
	if err != nil {
		return nil, fmt.Errorf("ca_file: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("ca_file: %s holds no certificate", caFile)
	}
	return pool, nil
}

// redirect checks where a response leads, and gives the request there that
// origin's headers alone.
func (w *web) redirect(r *http.Request, via []*http.Request, caFile string) error {
	if len(via) >= maxRedirects {
		return errors.New("too many redirects")
	}
	o := w.find(r.URL)
	if o == nil {
		return &errNotGranted{originOf(r.URL)}
	}
	if o.CAFile != caFile {
		return errors.New("redirect to an origin with other certificates")
	}
	// The client copies the first request's header, whatever it met since.
	for i := range w.origins {
		for _, h := range w.origins[i].Headers {
			r.Header.Del(h.Name)
		}
	}
	r.Header.Del("Referer")
	return o.credentials(r)
}

func webError(ctx context.Context, r *http.Request, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	var no *errNotGranted
	if errors.As(err, &no) {
		return &sdk.Error{Kind: sdk.KindPermission, Op: operation(r), Msg: "redirects: " + no.Error()}
	}
	var own *sdk.Error
	if errors.As(err, &own) {
		return own
	}
	return &sdk.Error{Kind: sdk.KindTransient, Op: operation(r), Msg: err.Error()}
}

// responseHeader leaves out cookies: they are credentials.
func responseHeader(h http.Header) ([]Field, error) {
	var out []Field
	size := 0
	for _, name := range slices.Sorted(maps.Keys(h)) {
		if name == "Set-Cookie" || name == "Set-Cookie2" {
			continue
		}
		for _, v := range h[name] {
			size += len(name) + len(v)
			out = append(out, Field{Name: name, Value: v})
		}
	}
	if len(out) > maxFields || size > MaxHeader {
		return nil, errors.New("the response's header is too long")
	}
	return out, nil
}

func (w *web) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.clients {
		c.CloseIdleConnections()
	}
}

// body gives errors their place and kind, and ends with an origin that is silent.
type body struct {
	io.ReadCloser
	request *http.Request
	ctx     context.Context // of who asked
	stop    context.CancelFunc
}

// Read implements [io.Reader].
func (b *body) Read(p []byte) (int, error) {
	silence := time.AfterFunc(stallTime, b.stop)
	defer silence.Stop()
	n, err := b.ReadCloser.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		return n, webError(b.ctx, b.request, err)
	}
	return n, err
}

// Close implements [io.Closer].
func (b *body) Close() error {
	b.stop()
	if err := b.ReadCloser.Close(); err != nil {
		return webError(b.ctx, b.request, err)
	}
	return nil
}
