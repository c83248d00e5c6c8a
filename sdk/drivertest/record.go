package drivertest

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// listing is one directory as a scan showed it.
type listing struct {
	began   bool
	self    sdk.Entry
	entries []sdk.Entry
	err     *sdk.Error
}

func (l *listing) names() []string {
	var out []string
	for i := range l.entries {
		out = append(out, l.entries[i].Name)
	}
	return out
}

func (l *listing) find(t T, name string) *sdk.Entry {
	t.Helper()
	for i := range l.entries {
		if l.entries[i].Name == name {
			return &l.entries[i]
		}
	}
	t.Fatalf("no entry %q in %q", name, l.names())
	return nil
}

// recorder keeps a scan's rows and holds them to the rules.
type recorder struct {
	dirs    []listing
	open    int // -1: none
	next    int
	onBegin func(i int)
	onEntry func(e *sdk.Entry) error
}

func newRecorder(n int) *recorder { return &recorder{dirs: make([]listing, n), open: -1} }

var _ sdk.ScanSink = (*recorder)(nil)

func (r *recorder) BeginDir(i int, self *sdk.Entry) error {
	if r.open >= 0 || i != r.next {
		return fmt.Errorf("directory %d begun after %d, open %d", i, r.next-1, r.open)
	}
	if self.Name != "." || self.Type != sdk.TypeDir {
		return fmt.Errorf("directory %d describes itself as %q, %s", i, self.Name, self.Type)
	}
	if err := self.Validate(); err != nil {
		return err
	}
	r.open = i
	r.dirs[i].began, r.dirs[i].self = true, clone(self)
	if r.onBegin != nil {
		r.onBegin(i)
	}
	return nil
}

func (r *recorder) Entry(e *sdk.Entry) error {
	if r.open < 0 {
		return fmt.Errorf("entry %q outside a directory", e.Name)
	}
	if err := e.Validate(); err != nil {
		return err
	}
	l := &r.dirs[r.open]
	if n := len(l.entries); e.Name == "." || n > 0 && l.entries[n-1].Name >= e.Name {
		return fmt.Errorf("entry %q out of order", e.Name)
	}
	l.entries = append(l.entries, clone(e))
	if r.onEntry != nil {
		return r.onEntry(e)
	}
	return nil
}

func (r *recorder) EndDir(i int, err *sdk.Error) error {
	if i != r.next || (r.open >= 0 && r.open != i) || (r.open < 0 && err == nil) {
		return fmt.Errorf("directory %d ended, open %d, with an error: %t", i, r.open, err != nil)
	}
	r.dirs[i].err = err
	r.open, r.next = -1, i+1
	return nil
}

// clone copies what belongs to the driver only during the call.
func clone(e *sdk.Entry) sdk.Entry {
	out := *e
	out.Name = strings.Clone(e.Name)
	out.Target = strings.Clone(e.Target)
	out.Mark = slices.Clone(e.Mark)
	out.Xattrs = slices.Clone(e.Xattrs)
	for i := range out.Xattrs {
		out.Xattrs[i].Value = slices.Clone(out.Xattrs[i].Value)
	}
	return out
}

// scan lists dirs; each must be answered.
func scan(t T, r sdk.Resource, fields sdk.Fields, dirs ...sdk.Path) []listing {
	t.Helper()
	rec := newRecorder(len(dirs))
	if err := r.Scan(t.Context(), sdk.ScanRequest{Dirs: dirs, Fields: fields}, rec); err != nil {
		t.Fatalf("scan: %v", err)
	}
	if rec.next != len(dirs) || rec.open >= 0 {
		t.Fatalf("scan ended after %d of %d directories", rec.next, len(dirs))
	}
	return rec.dirs
}

// list lists one directory, which must work.
func list(t T, r sdk.Resource, fields sdk.Fields, dir sdk.Path) *listing {
	t.Helper()
	l := scan(t, r, fields, dir)[0]
	if l.err != nil {
		t.Fatalf("list %s: %v", dir, l.err)
	}
	return &l
}

// stat describes one entry.
func stat(t T, r sdk.Resource, p sdk.Path, fields sdk.Fields) sdk.Entry {
	t.Helper()
	out, err := r.Stat(t.Context(), []sdk.Path{p}, fields)
	if err != nil {
		t.Fatalf("stat: %v", err)
	}
	if len(out) != 1 {
		t.Fatalf("stat: %d answers to one path", len(out))
	}
	if err := out[0].Validate(); err != nil {
		t.Fatalf("stat: %v", err)
	}
	return out[0]
}

// apply does operations that must work.
func apply(t T, g sdk.Target, ops ...sdk.Op) []sdk.OpResult {
	t.Helper()
	out := tryApply(t, g, ops...)
	for i := range out {
		if out[i].Err != nil {
			t.Fatalf("%s %q: %v", ops[i].Kind, ops[i].Path, out[i].Err)
		}
	}
	return out
}

func tryApply(t T, g sdk.Target, ops ...sdk.Op) []sdk.OpResult {
	t.Helper()
	out, err := g.Apply(t.Context(), ops)
	if err != nil {
		t.Fatalf("apply: %v", err)
	}
	if len(out) != len(ops) {
		t.Fatalf("apply: %d results of %d operations", len(out), len(ops))
	}
	return out
}

// wantKind holds the result of one operation to a kind of error.
func wantKind(t T, g sdk.Target, op sdk.Op, kinds ...sdk.Kind) {
	t.Helper()
	out := tryApply(t, g, op)
	if out[0].Err == nil {
		t.Fatalf("%s %q worked, want an error of kind %v", op.Kind, op.Path, kinds)
	}
	if len(kinds) > 0 && !slices.Contains(kinds, out[0].Err.Kind) {
		t.Fatalf("%s %q: %v, of kind %s, want %v", op.Kind, op.Path, out[0].Err, out[0].Err.Kind, kinds)
	}
}

// part is a piece of data that Read sent.
type part struct {
	off  int64
	data []byte
}

type readFile struct {
	before, after sdk.Entry
	began         bool
	parts         []part
	err           *sdk.Error
}

// content puts the parts together, zeros in the holes.
func (f *readFile) content() []byte {
	out := make([]byte, f.before.Size)
	for _, p := range f.parts {
		copy(out[p.off:], p.data)
	}
	return out
}

func (f *readFile) bytes() (n int64) {
	for _, p := range f.parts {
		n += int64(len(p.data))
	}
	return n
}

// readRecorder keeps what Read sends and holds it to the rules.
type readRecorder struct {
	files  []readFile
	next   int
	open   bool
	end    int64
	onData func(i int, off int64)
	onFile func(i int)
}

var _ sdk.ReadSink = (*readRecorder)(nil)

func (r *readRecorder) BeginFile(i int, before *sdk.Entry) error {
	if r.open || i != r.next || before.Type != sdk.TypeRegular {
		return fmt.Errorf("file %d of type %s begun out of order", i, before.Type)
	}
	if err := before.Validate(); err != nil {
		return err
	}
	r.open, r.end = true, 0
	r.files[i].before, r.files[i].began = clone(before), true
	if r.onFile != nil {
		r.onFile(i)
	}
	return nil
}

func (r *readRecorder) Data(off int64, p []byte) error {
	if !r.open || off < r.end || len(p) == 0 || len(p) > sdk.MaxChunk {
		return fmt.Errorf("%d bytes at %d out of order", len(p), off)
	}
	r.end = off + int64(len(p))
	f := &r.files[r.next]
	if r.end > f.before.Size {
		return fmt.Errorf("data up to %d of a file of %d bytes", r.end, f.before.Size)
	}
	f.parts = append(f.parts, part{off, slices.Clone(p)})
	if r.onData != nil {
		r.onData(r.next, off)
	}
	return nil
}

func (r *readRecorder) EndFile(i int, after *sdk.Entry, err *sdk.Error) error {
	if i != r.next || (!r.open && err == nil) || (err == nil && after == nil) {
		return fmt.Errorf("file %d ended out of order", i)
	}
	if after != nil {
		r.files[i].after = clone(after)
	}
	r.files[i].err = err
	r.open, r.next = false, i+1
	return nil
}

func read(ctx context.Context, t T, s sdk.Source, rec *readRecorder, paths ...sdk.Path) []readFile {
	t.Helper()
	rec.files = make([]readFile, len(paths))
	if err := s.Read(ctx, paths, rec); err != nil {
		t.Fatalf("read: %v", err)
	}
	if rec.next != len(paths) {
		t.Fatalf("read ended after %d of %d files", rec.next, len(paths))
	}
	return rec.files
}
