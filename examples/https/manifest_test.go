package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gsyncd/gsyncd-host/examples/https/manifest"
	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/grant"
)

// old is a time long before the test.
func old() time.Time { return time.Now().Add(-time.Hour) }

// TestManifestQuiet: a tree that did not change costs one small request a look.
func TestManifestQuiet(t *testing.T) {
	sent := 0
	s := serveDir(t, nil)
	s.put(t, "d/a", "1")
	s.list(t, old())
	s.before = func(w http.ResponseWriter, r *http.Request) bool {
		if r.Header.Get("If-Modified-Since") == "" && r.Method == "GET" {
			sent++
		}
		return false
	}
	src := s.open(t)
	s.requests()
	for range 3 {
		if _, err := src.Identity(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	walk(t, src)
	if _, err := src.Stat(t.Context(), []sdk.Path{"d/a", "d"}, 0); err != nil {
		t.Fatal(err)
	}
	if asked := s.requests(); sent != 1 || len(asked) > 7 {
		t.Errorf("the manifest was sent %d times; asked for %q", sent, asked)
	}
}

// TestManifestYoung: a manifest that could be replaced within the same second is
// asked for once more.
func TestManifestYoung(t *testing.T) {
	s := serveDir(t, nil)
	s.put(t, "a", "1")
	now := time.Now()
	s.list(t, now)
	src := s.open(t)
	s.put(t, "a", "2") // of the same size
	s.list(t, now)
	if _, err := src.Identity(t.Context()); err != nil {
		t.Fatal(err)
	}
	if f := read(t, src, "a")[0]; string(f.data) != "2" || !f.whole {
		t.Errorf("%q, %v", f.data, f.err)
	}
}

// TestManifestChanges: what is in a new manifest as before has its change time,
// what is not has a new one.
func TestManifestChanges(t *testing.T) {
	s := serveDir(t, nil)
	s.put(t, "d/same", "same")
	s.put(t, "d/other", "first")
	s.put(t, "gone", "")
	made := time.Unix(1700000000, 0)
	for _, name := range []string{"d/other", "d/same", "d"} {
		if err := os.Chtimes(filepath.Join(s.dir, name), made, made); err != nil {
			t.Fatal(err)
		}
	}
	s.list(t, old())
	src := s.open(t)
	id, err := src.Identity(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	before := walk(t, src)
	s.put(t, "d/other", "FIRST")
	if err := errors.Join(os.Remove(filepath.Join(s.dir, "gone")), os.Chtimes(filepath.Join(s.dir, "d/other"), made, made)); err != nil {
		t.Fatal(err)
	}
	// The server still has the earlier manifest.
	if f := read(t, src, "d/other")[0]; f.err == nil || f.err.Kind != sdk.KindChanged || f.whole {
		t.Errorf("a file that is not the manifest's: %q, %v", f.data, f.err)
	}
	s.list(t, old().Add(time.Minute)) // as if it had lain elsewhere until now
	b, err := src.Beacon(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	after := walk(t, src)
	if now, err := src.Identity(t.Context()); err != nil || now != id {
		t.Errorf("the tree is %v and was %v: %v", now, id, err)
	}
	if diff := cmp.Diff(before["d/same"], after["d/same"]); diff != "" {
		t.Error(diff)
	}
	x, y := before["d/other"], after["d/other"]
	if x.ID == y.ID || x.Mtime != y.Mtime || y.Ctime.Compare(b.Now.Add(-int64(b.Window))) < 0 {
		t.Errorf("was %+v and is %+v at %v", x, y, b.Now)
	}
	if _, there := after["gone"]; there {
		t.Error("what is gone is listed")
	}
	if f := read(t, src, "d/other")[0]; string(f.data) != "FIRST" || !f.whole {
		t.Errorf("%q, %v", f.data, f.err)
	}
	if err := os.Remove(filepath.Join(s.dir, manifest.Name)); err != nil {
		t.Fatal(err)
	}
	if _, err := src.Identity(t.Context()); sdk.KindOf(err) != sdk.KindNotExist {
		t.Errorf("without its manifest: %v", err)
	}
}

// TestManifestHostile: lines of a stranger's manifest harm nobody, and a manifest
// that is not whole is no tree.
func TestManifestHostile(t *testing.T) {
	sum := strings.Repeat("0", 64)
	line := func(path, rest string) string { return fmt.Sprintf(`{"path":%q%s}`, path, rest) }
	good := `,"size":1,"sha256":"` + sum + `"`
	lines := []string{
		line("%2e%2e/%2e%2e/etc/passwd", good), line("../x", good), line("/etc/passwd", good), line("a%2fb", good), line("nul%00", good), line("100%", good),
		line("nosum", `,"size":1`), line("negative", `,"size":-1,"sha256":"`+sum+`"`), line("mode", good+`,"mode":"9"`), line("link", `,"type":"symlink","target":"%00"`),
		line("odd", `,"type":"door"`), line("good", good), line("good/below", good), line("to", `,"type":"symlink","target":"../%ff"`), line("", good),
		line("longest", `,"type":"symlink","target":"`+strings.Repeat("%20", maxTarget)+`"`), line("longer", `,"type":"symlink","target":"`+strings.Repeat("t", maxTarget+1)+`"`),
		line("far", `,"type":"symlink","target":"`+strings.Repeat("t", 70000)+`"`),
	}
	whole := `{"format":"gsyncd-host manifest 1"}` + "\n" + strings.Join(lines, "\n") + "\n" + fmt.Sprintf(`{"entries":%d}`, len(lines)) + "\n"
	s := serveDir(t, nil)
	s.put(t, manifest.Name, whole)
	src := s.open(t)
	all := walk(t, src)
	bad := 0
	s.requests()
	for p, e := range all {
		if e.Type == sdk.TypeRegular && p != "good" {
			bad++
			if f := read(t, src, p)[0]; f.err == nil || f.err.Kind != sdk.KindUnsupported || f.err.Msg == "" || f.err.Path != p {
				t.Errorf("%s: %+v", p, f.err)
			}
		}
	}
	if asked := s.requests(); len(asked) > 0 {
		t.Errorf("the server was asked for %q", asked)
	}
	if bad != 15 || len(all) != 19 || len(all["longest"].Target) != maxTarget || all["good"].Size != 1 || all["to"].Target != "../\xff" {
		t.Errorf("%d bad of %d: %v", bad, len(all), all)
	}
	for _, broken := range []string{
		"", "x", whole[:len(whole)/2], strings.TrimSuffix(whole, "{\"entries\":18}\n"), strings.Replace(whole, `{"entries":18}`, `{"entries":17}`, 1), whole + "{}\n",
		strings.Replace(whole, "manifest 1", "manifest 2", 1), strings.Replace(whole, `"path":"good"`, `"path":"good","future":1`, 1),
		`{"format":"gsyncd-host manifest 1"}` + "\n" + strings.Repeat("x", 300<<10),
	} {
		s.put(t, manifest.Name, broken)
		_, err := granted(s.url).OpenSource(t.Context(), request(t, s.url))
		if sdk.KindOf(err) != sdk.KindTransient || err == nil {
			t.Errorf("a manifest of %d bytes: %v", len(broken), err)
		}
	}
	s.put(t, manifest.Name, whole)
	if _, err := granted(s.url).OpenSource(t.Context(), request(t, s.url, "max_entries=10")); err == nil || !strings.Contains(err.Error(), attrEntries) {
		t.Errorf("too many entries: %v", err)
	}
}

// TestResume: a connection that breaks is taken up where it was, and never with
// another version of the file.
func TestResume(t *testing.T) {
	data := strings.Repeat("0123456789abcdef", 5<<20/16)
	made := old()
	for name, c := range map[string]struct {
		etag, second string // of the first part, and of those after it
		ranges       bool
		never        bool // no byte comes
		want         sdk.Kind
		good         bool
	}{
		"resumed":    {etag: `"1"`, second: `"1"`, ranges: true, good: true},
		"replaced":   {etag: `"1"`, second: `"2"`, ranges: true, want: sdk.KindChanged},
		"no ranges":  {etag: `"1"`, second: `"1"`, want: sdk.KindChanged},
		"hopeless":   {etag: `"1"`, second: `"1"`, ranges: true, never: true, want: sdk.KindTransient},
		"weak etags": {etag: `W/"1"`, second: `W/"1"`, ranges: true, good: true},
	} {
		for _, index := range []string{byManifest, byListing} {
			t.Run(name+"/"+index, func(t *testing.T) {
				s := serveDir(t, nil)
				s.put(t, "f", data)
				if err := os.Chtimes(filepath.Join(s.dir, "f"), made, made); err != nil {
					t.Fatal(err)
				}
				if index == byManifest {
					s.list(t, old())
				}
				gets := 0
				s.before = func(w http.ResponseWriter, r *http.Request) bool {
					if r.URL.Path != "/f" {
						return false
					}
					etag := c.etag
					if gets > 0 {
						etag = c.second
					}
					w.Header().Set("Etag", etag)
					if !c.ranges {
						r.Header.Del("Range")
					}
					if r.Method == "HEAD" {
						return false
					}
					if gets++; gets > 3 && !c.never {
						return false
					}
					// A part of the answer, then the connection ends.
					most := int64(1<<20 + 100)
					if c.never {
						most = 0
					}
					cut := &cutWriter{ResponseWriter: w, left: most}
					http.ServeContent(cut, r, "", made, strings.NewReader(data))
					panic(http.ErrAbortHandler)
				}
				f := read(t, s.open(t, "index="+index), "f")[0]
				if c.good && (!f.whole || string(f.data) != data) || !c.good && (f.err == nil || f.err.Kind != c.want) {
					t.Errorf("%d bytes after %d requests, %v", len(f.data), gets, f.err)
				}
			})
		}
	}
}

// cutWriter passes on so many bytes.
type cutWriter struct {
	http.ResponseWriter
	left int64
}

func (w *cutWriter) Write(p []byte) (int, error) {
	if int64(len(p)) > w.left {
		_, _ = w.ResponseWriter.Write(p[:w.left])
		w.left = 0
		if f, ok := w.ResponseWriter.(http.Flusher); ok {
			f.Flush()
		}
		return 0, io.ErrClosedPipe
	}
	w.left -= int64(len(p))
	return w.ResponseWriter.Write(p)
}

// TestPieces: a large file is fetched in pieces.
func TestPieces(t *testing.T) {
	data := strings.Repeat("0123456789abcdef", 5<<20/16) + "end"
	s := serveDir(t, nil)
	s.put(t, "f", data)
	s.list(t, old())
	src := s.open(t, "piece=2MiB")
	s.requests()
	if f := read(t, src, "f")[0]; string(f.data) != data || !f.whole {
		t.Errorf("%d bytes, %v", len(f.data), f.err)
	}
	if asked := s.requests(); len(asked) != 3 {
		t.Errorf("asked for %q", asked)
	}
}

// TestStatus: what a server says instead of a file is an error of a fitting kind.
func TestStatus(t *testing.T) {
	status := 0
	s := serveDir(t, func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == "/f" && status != 0 {
			w.WriteHeader(status)
			return true
		}
		return false
	})
	s.put(t, "f", "x")
	s.list(t, old())
	for _, index := range []string{byManifest, byListing} {
		status = 0
		src := s.open(t, "index="+index)
		for code, want := range map[int]sdk.Kind{
			404: sdk.KindNotExist, 410: sdk.KindNotExist, 401: sdk.KindPermission, 403: sdk.KindPermission, 500: sdk.KindTransient, 503: sdk.KindTransient,
			429: sdk.KindTransient, 400: sdk.KindFatal, 204: sdk.KindFatal,
		} {
			status = code
			if f := read(t, src, "f")[0]; f.err == nil || f.err.Kind != want {
				t.Errorf("%s: %d is %v, want kind %s", index, code, f.err, want)
			}
		}
	}
}

// TestPacked: what a server compressed is not the file.
func TestPacked(t *testing.T) {
	s := serveDir(t, func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == "/f" {
			w.Header().Set("Content-Encoding", "gzip")
		}
		return false
	})
	s.put(t, "f", "x")
	s.list(t, old())
	if f := read(t, s.open(t), "f")[0]; f.err == nil || f.err.Kind != sdk.KindUnsupported {
		t.Errorf("%v", f.err)
	}
}

// TestCredentials: the grant's headers arrive, and the driver has no part in that.
func TestCredentials(t *testing.T) {
	s := serveDir(t, func(w http.ResponseWriter, r *http.Request) bool {
		if r.Header.Get("Authorization") != "Bearer secret" {
			w.WriteHeader(401)
			return true
		}
		return false
	})
	s.put(t, "f", "x")
	s.list(t, old())
	_, err := granted(s.url).OpenSource(t.Context(), request(t, s.url))
	if sdk.KindOf(err) != sdk.KindPermission || !strings.Contains(err.Error(), "http grant") {
		t.Errorf("without credentials: %v", err)
	}
	d := &driver{log: quiet, do: grant.New(grant.Config{HTTP: []grant.OriginConfig{{URL: s.url, Headers: []grant.Header{{Name: "Authorization", Prefix: "Bearer ", Value: "secret"}}}}})}
	src, err := d.OpenSource(t.Context(), request(t, s.url))
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	if f := read(t, src, "f")[0]; string(f.data) != "x" || !f.whole {
		t.Errorf("%v", f.err)
	}
	none := &driver{log: quiet, do: grant.New(grant.Config{})}
	if _, err := none.OpenSource(t.Context(), request(t, s.url)); sdk.KindOf(err) != sdk.KindPermission {
		t.Errorf("without a grant: %v", err)
	}
}

func TestCheck(t *testing.T) {
	d := new(driver)
	for url, want := range map[string]string{
		"https://example.com/tree/": "", "https://example.com": "", "https:///x": "no URL", "https://user:pass@example.com/": "password", "https://example.com/?q": "query",
		"http://example.com/": "anybody on the way", "http://localhost:1/": "", "http://127.0.0.1/": "", "http://[::1]:8/": "",
	} {
		got := d.Check(t.Context(), request(t, url))
		if want == "" && len(got) == 0 {
			continue
		}
		if len(got) != 1 || want == "" || !strings.Contains(got[0].Summary, want) || got[0].Detail == "" {
			t.Errorf("%s: %+v, want %q", url, got, want)
		}
	}
	for setting, attr := range map[string]string{"manifest=a/b": attrManifest, "max_entries=0": attrEntries, "piece=1B": attrPiece} {
		if got := d.Check(t.Context(), request(t, "https://example.com/", setting)); len(got) != 1 || got[0].Attribute != attr {
			t.Errorf("%s: %+v", setting, got)
		}
	}
}
