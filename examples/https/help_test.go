package main

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gsyncd/gsyncd-host/examples/https/manifest"
	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/grant"
)

var quiet = slog.New(slog.DiscardHandler)

// site is a server on a directory.
type site struct {
	dir, url string
	mu       sync.Mutex
	asked    []string // method and path, in order
	before   func(w http.ResponseWriter, r *http.Request) bool
}

// serveDir starts one. before may answer a request in place of the directory.
func serveDir(t testing.TB, before func(http.ResponseWriter, *http.Request) bool) *site {
	t.Helper()
	s := &site{dir: t.TempDir(), before: before}
	files := http.FileServer(http.Dir(s.dir))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.asked = append(s.asked, r.Method+" "+r.URL.Path)
		s.mu.Unlock()
		if s.before == nil || !s.before(w, r) {
			files.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

// requests counts and forgets what was asked for.
func (s *site) requests() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := s.asked
	s.asked = nil
	return out
}

func (s *site) put(t testing.TB, name, data string) {
	t.Helper()
	path := filepath.Join(s.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(data), 0o644); err != nil {
		t.Fatal(err)
	}
}

// list makes the manifest, as if it were made at a time.
func (s *site) list(t testing.TB, at time.Time) {
	t.Helper()
	if err := manifest.Make(s.dir); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(filepath.Join(s.dir, manifest.Name), at, at); err != nil {
		t.Fatal(err)
	}
}

// granted is a driver that may reach a server.
func granted(url string) sdk.Driver {
	return &driver{log: quiet, do: grant.New(grant.Config{HTTP: []grant.OriginConfig{{URL: url}}})}
}

func request(t testing.TB, url string, settings ...string) sdk.OpenRequest {
	t.Helper()
	scheme, rest, _ := strings.Cut(url, "://")
	if scheme == "http" {
		settings = append(settings, "plain=true")
	}
	values, err := new(driver).Describe().Schema.Parse(settings)
	if err != nil {
		t.Fatal(err)
	}
	return sdk.OpenRequest{Address: sdk.Address{Scheme: "https", Rest: rest}, Role: sdk.Primary, Config: values}
}

func (s *site) open(t testing.TB, settings ...string) sdk.Source {
	t.Helper()
	src, err := granted(s.url).OpenSource(t.Context(), request(t, s.url, settings...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { src.Close() })
	return src
}

// walk lists a whole tree, by path.
func walk(t testing.TB, s sdk.Source) map[sdk.Path]sdk.Entry {
	t.Helper()
	l := listing{all: map[sdk.Path]sdk.Entry{}, todo: []sdk.Path{sdk.Root}}
	for len(l.todo) > 0 {
		l.dirs, l.todo = l.todo, nil
		if err := s.Scan(t.Context(), sdk.ScanRequest{Dirs: l.dirs, Fields: sdk.FieldTarget}, &l); err != nil {
			t.Fatal(err)
		}
	}
	return l.all
}

type listing struct {
	all        map[sdk.Path]sdk.Entry
	dirs, todo []sdk.Path
	open       sdk.Path
}

func (l *listing) BeginDir(i int, e *sdk.Entry) error {
	l.open = l.dirs[i]
	l.all[l.open] = *e
	return e.Validate()
}

func (l *listing) Entry(e *sdk.Entry) error {
	p := l.open.Join(e.Name)
	l.all[p] = *e
	if e.Type == sdk.TypeDir {
		l.todo = append(l.todo, p)
	}
	return e.Validate()
}

func (l *listing) EndDir(_ int, err *sdk.Error) error {
	if err != nil {
		return err
	}
	return nil
}

// got is a file as it was read.
type got struct {
	data  []byte
	err   *sdk.Error
	whole bool
}

func read(t testing.TB, s sdk.Source, paths ...sdk.Path) []got {
	t.Helper()
	r := &taker{files: make([]got, len(paths))}
	if err := s.Read(t.Context(), paths, r); err != nil {
		t.Fatal(err)
	}
	return r.files
}

type taker struct {
	files  []got
	before sdk.Entry
	open   int
}

func (r *taker) BeginFile(i int, e *sdk.Entry) error {
	r.open, r.before = i, *e
	return nil
}

func (r *taker) Data(_ int64, p []byte) error {
	f := &r.files[r.open]
	f.data = append(f.data, p...)
	return nil
}

func (r *taker) EndFile(i int, after *sdk.Entry, err *sdk.Error) error {
	r.files[i].err = err
	r.files[i].whole = err == nil && after.ID == r.before.ID && after.Mtime == r.before.Mtime && after.Size == r.before.Size
	return nil
}
