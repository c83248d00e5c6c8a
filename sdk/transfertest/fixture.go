package transfertest

import (
	"bytes"
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/localfs"
)

// fixture is a source, a target and one job's directory in it.
type fixture struct {
	*suite
	source, target string
	job            sdk.Job
	files          []sdk.File
	data           map[string][]byte // what is expected in the output, by name
}

func (s *suite) fixture(t *testing.T) *fixture {
	t.Helper()
	values, err := s.transfer.Describe().Schema.WithDefaults(s.values)
	must(t, err)
	f := &fixture{suite: s, source: t.TempDir(), target: t.TempDir(), data: map[string][]byte{}}
	dir := sdk.ReservedPrefix + "job"
	for _, sub := range []string{sdk.JobBasis, sdk.JobOut} {
		must(t, os.MkdirAll(filepath.Join(f.target, dir, sub), 0o700))
	}
	f.job = sdk.Job{
		Source: sdk.Endpoint{Path: f.source},
		Target: sdk.Endpoint{Path: f.target},
		Dir:    sdk.Path(dir),
		Config: values,
	}
	return f
}

func (f *fixture) in(p sdk.Path) string { return filepath.Join(f.source, string(p)) }
func (f *fixture) out(name string) string {
	return filepath.Join(f.target, string(f.job.Dir), sdk.JobOut, name)
}
func (f *fixture) basis(name string) string {
	return filepath.Join(f.target, string(f.job.Dir), sdk.JobBasis, name)
}

// add makes a file in the source and asks for it.
func (f *fixture) add(t *testing.T, p sdk.Path, data []byte) string {
	t.Helper()
	must(t, os.MkdirAll(filepath.Dir(f.in(p)), 0o700))
	must(t, os.WriteFile(f.in(p), data, 0o600))
	return f.ask(t, p, data)
}

// ask asks for what is at p; data is what is expected of it.
func (f *fixture) ask(t *testing.T, p sdk.Path, data []byte) string {
	t.Helper()
	root, err := localfs.Open(f.source)
	must(t, err)
	defer root.Close()
	d, name, err := root.OpenParent(p)
	must(t, err)
	defer d.Close()
	e, err := d.Lstat(name)
	must(t, err)
	n := strconv.Itoa(len(f.files))
	f.files = append(f.files, sdk.File{Name: n, Path: p, Size: e.Size, ID: e.ID})
	f.data[n] = data
	return n
}

// addBasis gives the file called name an earlier version: a link to a file of
// the target, as the host makes it.
func (f *fixture) addBasis(t *testing.T, name string, data []byte) {
	t.Helper()
	old := filepath.Join(f.target, "old"+name)
	must(t, os.WriteFile(old, data, 0o600))
	must(t, os.Link(old, f.basis(name)))
	for i := range f.files {
		if f.files[i].Name == name {
			f.files[i].Basis = true
		}
	}
}

// outcome is what a run told.
type outcome struct {
	err     error
	results map[string]sdk.FileResult
}

// run runs the job and checks what holds for every run.
func (f *fixture) run(ctx context.Context, t *testing.T, progress func(int64)) outcome {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	o := outcome{results: map[string]sdk.FileResult{}}
	last := int64(0)
	o.err = f.transfer.Run(ctx, f.job, f.files, func(r sdk.FileResult) {
		if _, twice := o.results[r.Name]; twice {
			t.Errorf("file %q has two results", r.Name)
		}
		if _, known := f.data[r.Name]; !known {
			t.Errorf("a result for %q, which was not asked for", r.Name)
		}
		o.results[r.Name] = r
	}, func(n int64) {
		if n < last {
			t.Errorf("progress goes back from %d to %d", last, n)
		}
		last = n
		if progress != nil {
			progress(n)
		}
	})
	if ctx.Err() == context.DeadlineExceeded {
		t.Fatalf("the run hangs: it ended only when told to, with %v", o.err)
	}
	for _, file := range f.files {
		r, ok := o.results[file.Name]
		switch {
		case !ok && o.err == nil:
			t.Errorf("no result for %q", file.Path)
		case ok && r.Err == nil:
			f.made(t, file)
		}
	}
	return o
}

// made checks a file that is said to be complete.
func (f *fixture) made(t *testing.T, file sdk.File) {
	t.Helper()
	info, err := os.Lstat(f.out(file.Name))
	if err != nil {
		t.Errorf("%q is said to be made: %v", file.Path, err)
		return
	}
	if !info.Mode().IsRegular() {
		t.Errorf("%q was made as %s", file.Path, info.Mode())
		return
	}
	got, err := os.ReadFile(f.out(file.Name))
	must(t, err)
	if !bytes.Equal(got, f.data[file.Name]) {
		t.Errorf("%q: %d bytes were made of %d, or others", file.Path, len(got), len(f.data[file.Name]))
	}
}

// good is run for a job in which nothing may go wrong. Its output must hold
// what was asked for and nothing else.
func (f *fixture) good(t *testing.T) outcome {
	t.Helper()
	o := f.run(t.Context(), t, nil)
	must(t, o.err)
	for _, file := range f.files {
		if err := o.results[file.Name].Err; err != nil {
			t.Errorf("%q: %v", file.Path, err)
		}
	}
	there, err := os.ReadDir(f.out(""))
	must(t, err)
	if len(there) != len(f.files) {
		t.Errorf("%d files in the output, %d were asked for", len(there), len(f.files))
	}
	return o
}

// wantKind checks how the file called name failed.
func (o outcome) wantKind(t *testing.T, name string, want sdk.Kind) {
	t.Helper()
	r := o.results[name]
	if r.Err == nil {
		t.Errorf("file %s: no error, want one of kind %s", name, want)
	} else if r.Err.Kind != want {
		t.Errorf("file %s: %v of kind %s, want %s", name, r.Err, r.Err.Kind, want)
	}
}

// noise is data that no compression shortens.
func noise(seed uint64, n int) []byte {
	var key [32]byte
	key[0] = byte(seed)
	b := make([]byte, n)
	_, _ = rand.NewChaCha8(key).Read(b)
	return b
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
