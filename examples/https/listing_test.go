package main

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gsyncd/gsyncd-host/sdk"
)

func TestParseListing(t *testing.T) {
	const head = "<!doctype html>\n<meta name=\"viewport\" content=\"width=device-width\">\n<pre>\n"
	mtime := sdk.Time{Sec: 1714979290}
	for _, c := range []struct {
		name, text string
		want       map[string]found
	}{
		{"empty", "<pre>\n</pre>\n", map[string]found{}},
		{"Go", head + "<a href=\"a%20b\">a b</a>\n<a href=\"d/\">d/</a>\n<a href=\"./x:y\">x:y</a>\n<a href=\"%3C%25&%22.html\">&lt;%&amp;&#34;.html</a>\n</pre>\n",
			map[string]found{"a b": {size: -1}, "d": {dir: true, size: -1}, "x:y": {size: -1}, "<%&\".html": {size: -1}}},
		{"nginx", `[ { "name":"a b", "type":"file", "mtime":"Mon, 06 May 2024 07:08:10 GMT", "size":5 }, { "name":"d", "type":"directory", "mtime":"Mon, 06 May 2024 07:08:10 GMT" } ]`,
			map[string]found{"a b": {size: 5, mtime: mtime}, "d": {dir: true, mtime: mtime}}},
		{"no files", "[ ]", map[string]found{}},
	} {
		got, err := parseListing(strings.NewReader(c.text), 100)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		flat := map[string]found{}
		for k, v := range got {
			flat[k] = *v
		}
		if diff := cmp.Diff(c.want, flat, cmp.AllowUnexported(found{})); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
	for name, text := range map[string]string{
		"nothing": "", "a page": "<html><body><a href=\"a\">a</a></body></html>", "cut short": head + "<a href=\"a\">a</a>\n", "in a link": head + "<a href=\"a\">a</",
		"other text": head + "<a href=\"a\">b</a>\n</pre>\n", "a query": head + "<a href=\"a?b\">a?b</a>\n</pre>\n",
		"more": head + "<a href=\"a\">a</a>\n</pre>\n<p>", "twice": head + "<a href=\"a\">a</a>\n<a href=\"a\">a</a>\n</pre>\n", "JSON of something": `[{"id":1}]`, "half JSON": `[ { "name":"a"`,
		"two of JSON": `[][]`, "encoded otherwise": head + "<a href=\"%61\">a</a>\n</pre>\n", "nginx html": "<html>\n<head><title>Index of /</title></head>\n<body>",
	} {
		if got, err := parseListing(strings.NewReader(text), 100); err == nil {
			t.Errorf("%s: passed as %v", name, got)
		}
	}
	// Names that lead out are problems and nothing else.
	for name, text := range map[string]string{
		"Go":    head + "<a href=\"../\">../</a>\n<a href=\"//evil/a\">//evil/a</a>\n<a href=\"good\">good</a>\n</pre>\n",
		"nginx": `[{"name":"..","type":"directory","mtime":"Mon, 06 May 2024 07:08:10 GMT"},{"name":"good","type":"file","size":1,"mtime":"Mon, 06 May 2024 07:08:10 GMT"},{"name":"a/b","type":"file","size":1,"mtime":"Mon, 06 May 2024 07:08:10 GMT"},{"name":"\ufffd","type":"file","size":1,"mtime":"Mon, 06 May 2024 07:08:10 GMT"},{"name":"o","type":"other","mtime":"Mon, 06 May 2024 07:08:10 GMT"}]`,
	} {
		got, err := parseListing(strings.NewReader(text), 100)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for n, f := range got {
			if sdk.ValidateName(n) != nil || (f.bad == nil) != (n == "good") {
				t.Errorf("%s: %q is %+v", name, n, f)
			}
		}
	}
	if _, err := parseListing(strings.NewReader(`[ ]`+strings.Repeat(" ", maxListing)), 1); err == nil {
		t.Error("a listing without end passed")
	}
}

// TestListing: a tree without a manifest is what the server lists.
func TestListing(t *testing.T) {
	s := serveDir(t, nil)
	s.put(t, "d/a b?#%", "1")
	s.put(t, "page/index.html", "<p>not a listing</p>")
	if err := os.Mkdir(filepath.Join(s.dir, "empty"), 0o755); err != nil {
		t.Fatal(err)
	}
	src := s.open(t)
	l := listing{all: map[sdk.Path]sdk.Entry{}, dirs: []sdk.Path{sdk.Root, "d", "empty"}}
	if err := src.Scan(t.Context(), sdk.ScanRequest{Dirs: l.dirs}, &l); err != nil {
		t.Fatal(err)
	}
	if e := l.all["d/a b?#%"]; len(l.all) != 5 || e.Size != 1 || e.Type != sdk.TypeRegular || e.Mtime.IsZero() {
		t.Errorf("%+v", l.all)
	}
	// A directory whose index is a page has no listing: nothing is deleted on its
	// word.
	err := src.Scan(t.Context(), sdk.ScanRequest{Dirs: []sdk.Path{"page"}}, &listing{all: map[sdk.Path]sdk.Entry{}, dirs: []sdk.Path{"page"}})
	if sdk.KindOf(err) != sdk.KindUnsupported || !strings.Contains(err.Error(), "manifest") {
		t.Errorf("a page as listing: %v", err)
	}
	if f := read(t, src, "d/a b?#%", "d", "none"); string(f[0].data) != "1" || !f[0].whole || f[1].err == nil || f[1].err.Kind != sdk.KindChanged || f[2].err == nil || f[2].err.Kind != sdk.KindNotExist {
		t.Errorf("%v, %v, %v", f[0], f[1].err, f[2].err)
	}
	e, err := src.Stat(t.Context(), []sdk.Path{"d/a b?#%", "none", "d/none/x"}, 0)
	if err != nil || e[0].ID != l.all["d/a b?#%"].ID || e[1].Err.Kind != sdk.KindNotExist || e[2].Err.Kind != sdk.KindNotExist {
		t.Errorf("%+v, %v", e, err)
	}
	s.put(t, "d/a b?#%", "22")
	if e, err := src.Stat(t.Context(), []sdk.Path{"d/a b?#%"}, 0); err != nil || e[0].ID == l.all["d/a b?#%"].ID || e[0].Size != 2 {
		t.Errorf("%+v, %v", e, err)
	}
}

// TestListingReplacedWhileRead: a file that is another one at the end than in the
// beginning does not pass for whole.
func TestListingReplacedWhileRead(t *testing.T) {
	s := serveDir(t, nil)
	s.put(t, "f", "first")
	gets := 0
	s.before = func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == "/f" && r.Method == "GET" {
			gets++
			http.ServeContent(w, r, "", time.Time{}, strings.NewReader("FIRST"))
			return true
		}
		return false
	}
	if f := read(t, s.open(t), "f")[0]; f.whole || f.err == nil || f.err.Kind != sdk.KindChanged {
		t.Errorf("%q, %v", f.data, f.err)
	}
	s.before = func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == "/f" && r.Method == "GET" {
			http.ServeFile(w, r, filepath.Join(s.dir, "f"))
			later := time.Now().Add(time.Minute)
			_ = os.Chtimes(filepath.Join(s.dir, "f"), later, later)
			return true
		}
		return false
	}
	if f := read(t, s.open(t), "f")[0]; f.whole || f.err == nil || f.err.Kind != sdk.KindChanged {
		t.Errorf("%q, %v", f.data, f.err)
	}
}

// TestListingNoValidator: a file that the server tells no version of is one
// response, and never parts, which could be of two versions.
func TestListingNoValidator(t *testing.T) {
	const size = 3 << 20
	for name, c := range map[string]struct {
		etag string
		cut  bool // the connection breaks in the middle
		part bool // the server sends parts unasked
		want sdk.Kind
	}{
		"whole":     {},
		"weak etag": {etag: `W/"1"`},
		"cut":       {cut: true, want: sdk.KindTransient},
		"parts":     {part: true, want: sdk.KindUnsupported},
	} {
		t.Run(name, func(t *testing.T) {
			s := serveDir(t, nil)
			s.put(t, "f", "")
			gets := 0
			s.before = func(w http.ResponseWriter, r *http.Request) bool {
				if r.URL.Path != "/f" {
					return false
				}
				if c.etag != "" {
					w.Header().Set("Etag", c.etag)
				}
				if r.Method == "GET" {
					gets++
					if c.part {
						r.Header.Set("Range", "bytes=0-99")
					}
					if c.cut && gets == 1 {
						w = &cutWriter{ResponseWriter: w, left: size / 2}
					}
				}
				// Each response is of another version.
				http.ServeContent(w, r, "", time.Time{}, strings.NewReader(strings.Repeat(string(rune('a'+gets)), size)))
				return true
			}
			f := read(t, s.open(t, "piece=1MiB"), "f")[0]
			switch {
			case gets != 1:
				t.Errorf("%d requests, %v", gets, f.err)
			case c.want == 0 && (!f.whole || string(f.data) != strings.Repeat("b", size)):
				t.Errorf("%d bytes, %v", len(f.data), f.err)
			case c.want != 0 && (f.err == nil || f.err.Kind != c.want):
				t.Errorf("%v, want %s", f.err, c.want)
			}
		})
	}
}

// TestSwitch: a tree by its manifest is not the tree by the server's listings.
func TestSwitch(t *testing.T) {
	s := serveDir(t, nil)
	s.put(t, "f", "x")
	a, err := s.open(t).Identity(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := granted(s.url).OpenSource(t.Context(), request(t, s.url, "index=manifest")); sdk.KindOf(err) != sdk.KindNotExist {
		t.Errorf("without a manifest: %v", err)
	}
	s.list(t, old())
	b, err := s.open(t).Identity(t.Context())
	if err != nil || a == b {
		t.Errorf("%v and %v, %v", a, b, err)
	}
	if _, err := s.open(t, "index=listing").Identity(t.Context()); err != nil {
		t.Error(err)
	}
}

func FuzzParseListing(f *testing.F) {
	f.Add("<pre>\n<a href=\"a%20b\">a b</a>\n<a href=\"d/\">d/</a>\n</pre>\n")
	f.Add(`[ { "name":"a", "type":"file", "mtime":"Mon, 06 May 2024 07:08:10 GMT", "size":5 } ]`)
	f.Fuzz(func(t *testing.T, text string) {
		got, err := parseListing(strings.NewReader(text), 100)
		if err != nil {
			return
		}
		for name := range got {
			if err := sdk.ValidateName(name); err != nil {
				t.Error(err)
			}
		}
	})
}
