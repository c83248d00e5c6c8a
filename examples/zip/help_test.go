package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/grant"
)

var quiet = slog.New(slog.DiscardHandler)

// at is a time that all formats keep.
var at = time.Date(2024, 5, 6, 7, 8, 10, 0, time.UTC)

// request is for the archive at path, with settings as the host fills them in.
func request(t testing.TB, path string, settings ...string) sdk.OpenRequest {
	t.Helper()
	values, err := new(driver).Describe().Schema.Parse(settings)
	if err != nil {
		t.Fatal(err)
	}
	return sdk.OpenRequest{Address: sdk.Address{Scheme: "zip", Rest: path}, Role: sdk.Primary, Config: values}
}

func granted(dir string) *driver {
	return &driver{log: quiet, granted: grant.New(grant.Config{Dirs: []grant.DirConfig{{Path: dir}}})}
}

// open opens what was written as an archive.
func open(t testing.TB, archive []byte, settings ...string) (sdk.Source, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "a")
	put(t, path, archive)
	s, err := granted(filepath.Dir(path)).OpenSource(t.Context(), request(t, path, settings...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s, path
}

// put writes a file in one step.
func put(t testing.TB, path string, data []byte) {
	t.Helper()
	if err := errors.Join(os.WriteFile(path+".new", data, 0o644), os.Rename(path+".new", path)); err != nil {
		t.Fatal(err)
	}
}

// member is one of a zip.
type member struct {
	zip.FileHeader
	data string
	raw  bool // the header says all, whatever the data
}

func file(name, data string) member {
	m := member{data: data}
	m.Name, m.Modified, m.Method = name, at, zip.Deflate
	return m
}

func with(m member, change func(*member)) member { change(&m); return m }

func unixMode(mode uint32) func(*member) {
	return func(m *member) { m.CreatorVersion, m.ExternalAttrs = madeOnUnix<<8, mode<<16 }
}

func zipped(t testing.TB, members ...member) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for i := range members {
		m := &members[i]
		create := w.CreateHeader
		if m.raw {
			create = w.CreateRaw
		}
		f, err := create(&m.FileHeader)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(f, m.data); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// part is one of a tar.
type part struct {
	tar.Header
	data string
}

func regular(name, data string) part {
	return part{tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o640, Uid: 7, Gid: 8, ModTime: at, Size: int64(len(data))}, data}
}

func special(kind byte, name, to string) part {
	return part{Header: tar.Header{Name: name, Linkname: to, Typeflag: kind, Mode: 0o755, ModTime: at}}
}

func tarred(t testing.TB, parts ...part) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for i := range parts {
		if err := w.WriteHeader(&parts[i].Header); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, parts[i].data); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func gzipped(t testing.TB, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// walk lists a whole tree, by path.
func walk(t testing.TB, s sdk.Source) map[sdk.Path]sdk.Entry {
	t.Helper()
	l := listing{all: map[sdk.Path]sdk.Entry{}, todo: []sdk.Path{sdk.Root}}
	for len(l.todo) > 0 {
		l.dirs, l.todo = l.todo, nil
		if err := s.Scan(t.Context(), sdk.ScanRequest{Dirs: l.dirs, Fields: sdk.FieldTarget | sdk.FieldXattrs}, &l); err != nil {
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
	sent  int64
	err   *sdk.Error
	whole bool
}

func read(ctx context.Context, t testing.TB, s sdk.Source, paths ...sdk.Path) []got {
	t.Helper()
	r := &taker{files: make([]got, len(paths))}
	if err := s.Read(ctx, paths, r); err != nil {
		t.Fatal(err)
	}
	return r.files
}

type taker struct {
	files  []got
	open   int
	before sdk.Entry
	onData func()
}

func (r *taker) BeginFile(i int, e *sdk.Entry) error {
	r.open, r.before = i, *e
	if e.Size < 1<<30 {
		r.files[i].data = make([]byte, e.Size)
	}
	return nil
}

func (r *taker) Data(off int64, p []byte) error {
	f := &r.files[r.open]
	f.sent += int64(len(p))
	copy(f.data[off:], p)
	if r.onData != nil {
		r.onData()
	}
	return nil
}

func (r *taker) EndFile(i int, after *sdk.Entry, err *sdk.Error) error {
	r.files[i].err = err
	r.files[i].whole = err == nil && after.ID == r.before.ID && after.Ctime == r.before.Ctime && after.Mtime == r.before.Mtime && after.Size == r.before.Size
	return nil
}

// unreadable gives the files of a tree that cannot be read, with the reason.
func unreadable(t testing.TB, s sdk.Source, all map[sdk.Path]sdk.Entry) map[string]*sdk.Error {
	t.Helper()
	out := map[string]*sdk.Error{}
	for p, e := range all {
		if e.Type == sdk.TypeRegular {
			if f := read(t.Context(), t, s, p)[0]; f.err != nil {
				out[string(p)] = f.err
			}
		}
	}
	return out
}
