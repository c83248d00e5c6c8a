package grant

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/wasm"
)

// loop is a border between a server and what is through it.
type loop struct{ server *Server }

func (l *loop) Call(ctx context.Context, m wasm.Method, request []byte, use func([]byte) error) error {
	body, err := wasm.Answer(l.server.Answer(ctx, nil, m, request))
	if err != nil || use == nil {
		return err
	}
	return use(body)
}

// through gives what a guest has of a set.
func through(t testing.TB, c Config) *Set {
	t.Helper()
	set := New(c)
	server := NewServer(t.Context(), set)
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
		set.Close()
	})
	return Through(&loop{server})
}

func TestThroughDirs(t *testing.T) {
	dir := tree(t)
	exercise(t, through(t, Config{Dirs: []DirConfig{{Path: dir}}}), dir)
}

func TestThroughRefuses(t *testing.T) {
	s := through(t, Config{Dirs: []DirConfig{{Path: tree(t)}}})
	r := s.backend.(*remote)
	for _, request := range [][]byte{nil, {1}, place(7, "a"), place(-1, "a"), place(0, "../secret"), place(0, "/etc"), append(place(0, "a"), 1)} {
		for m := wasm.Close; m <= wasm.WebRead+1; m++ {
			if m == wasm.Close || m == wasm.Log || m == wasm.Dirs {
				continue
			}
			if err := r.caller.Call(t.Context(), m, request, nil); err == nil {
				t.Errorf("method %d with %x: no error", m, request)
			}
		}
	}
}

// web is an origin that asks for a credential, and another one, that must not see
// it.
func TestWeb(t *testing.T) {
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for name := range r.Header {
			if strings.HasPrefix(name, "X-Key") {
				t.Errorf("the other origin was sent %s", name)
			}
		}
		io.WriteString(w, "other")
	}))
	defer other.Close()
	var mine *httptest.Server
	mine = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Key") != "Bearer secret" {
			t.Errorf("%s: key %q", r.URL, r.Header.Get("X-Key"))
		}
		w.Header().Set("Set-Cookie", "c=1")
		switch r.URL.Path {
		case "/tree/file":
			http.ServeContent(w, r, "", testTime(), strings.NewReader("0123456789"))
		case "/tree/away":
			http.Redirect(w, r, other.URL+"/x", http.StatusFound)
		case "/tree/there":
			http.Redirect(w, r, "/tree/file", http.StatusFound)
		case "/tree/up":
			http.Redirect(w, r, mine.URL+"/secret", http.StatusFound)
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	defer mine.Close()
	key := []Header{{Name: "X-Key", Prefix: "Bearer ", Value: "secret"}}
	closed := Config{HTTP: []OriginConfig{{URL: mine.URL + "/tree/", Headers: key}}}
	open := Config{HTTP: []OriginConfig{{URL: mine.URL + "/tree/", Headers: key}, {URL: other.URL}}}
	for name, make := range map[string]func(Config) *Set{"direct": New, "through": func(c Config) *Set { return through(t, c) }} {
		t.Run(name, func(t *testing.T) {
			s := make(closed)
			get := func(s *Set, path string, fields ...Field) (*Response, string, error) {
				resp, err := s.Do(t.Context(), &Request{URL: path, Header: fields})
				if err != nil {
					return nil, "", err
				}
				defer resp.Body.Close()
				body, err := io.ReadAll(resp.Body)
				return resp, string(body), err
			}
			resp, body, err := get(s, mine.URL+"/tree/there", Field{Name: "Range", Value: "bytes=2-4"}, Field{Name: "X-Key", Value: "mine"})
			if err != nil || resp.Status != 206 || body != "234" || resp.Get("Content-Range") != "bytes 2-4/10" || resp.URL != mine.URL+"/tree/file" {
				t.Errorf("%+v %q %v", resp, body, err)
			}
			if resp != nil && slices.ContainsFunc(resp.Header, func(f Field) bool { return f.Name == "Set-Cookie" }) {
				t.Error("a cookie for the driver")
			}
			for _, path := range []string{"/tree/away", "/tree/up", "/secret", "/tree/../secret", "/tree/%2e%2e/secret", "/treefile"} {
				if _, _, err := get(s, mine.URL+path); sdk.KindOf(err) != sdk.KindPermission {
					t.Errorf("%s: %v", path, err)
				}
			}
			if _, _, err := get(s, other.URL); sdk.KindOf(err) != sdk.KindPermission || !strings.Contains(err.Error(), "not granted") {
				t.Error(err)
			}
			if _, err := s.Do(t.Context(), &Request{Method: "PUT", URL: mine.URL + "/tree/x"}); sdk.KindOf(err) != sdk.KindPermission {
				t.Error(err)
			}
			if _, body, err := get(make(open), mine.URL+"/tree/away"); err != nil || body != "other" {
				t.Errorf("%q %v", body, err)
			}
		})
	}
}
