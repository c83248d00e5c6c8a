package transfertest

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/gsyncd/gsyncd-host/sdk"
)

func (s *suite) describe(t *testing.T) {
	d := s.transfer.Describe()
	if d.Name == "" || d.Version == "" {
		t.Errorf("a method needs a name and a version, got %+v", d)
	}
	values, err := d.Schema.WithDefaults(s.values)
	must(t, err)
	for _, diag := range s.transfer.Check(t.Context(), values) {
		if !diag.Warning {
			t.Errorf("check: %s: %s", diag.Attribute, diag.Summary)
		}
	}
}

func (s *suite) nothing(t *testing.T) { s.fixture(t).good(t) }

func (s *suite) many(t *testing.T) {
	f := s.fixture(t)
	for i := range 600 {
		f.add(t, sdk.Path(fmt.Sprintf("d%d/f%d", i%7, i)), noise(uint64(i), i*3))
	}
	f.good(t)
}

func (s *suite) shapes(t *testing.T) {
	f := s.fixture(t)
	f.add(t, "empty", nil)
	f.add(t, "one", []byte{0})
	f.add(t, "large", noise(1, 9<<20+1))
	f.add(t, "linked", []byte("two names"))
	must(t, os.Link(f.in("linked"), f.in("other name")))

	const size = 32 << 20
	sparse, err := os.Create(f.in("sparse"))
	must(t, err)
	data := make([]byte, size)
	copy(data[size/2:], "in the middle")
	_, err = sparse.WriteAt([]byte("in the middle"), size/2)
	must(t, err)
	must(t, sparse.Truncate(size))
	must(t, sparse.Close())
	name := f.ask(t, "sparse", data)
	f.good(t)
	var in, out syscall.Stat_t
	must(t, syscall.Stat(f.in("sparse"), &in))
	must(t, syscall.Stat(f.out(name), &out))
	if in.Blocks < 2<<10 && out.Blocks > 8<<10 {
		t.Errorf("the holes were filled: %d blocks became %d", in.Blocks, out.Blocks)
	}
}

func (s *suite) names(t *testing.T) {
	f := s.fixture(t)
	for i, n := range []sdk.Path{
		"-rf", "--delete", "--files-from=x", "a\nb", "a\rb", " lead", "trail ", "\xff\xfe", "é", "e\u0301", "*", "?[a]", `back\slash`, `\#012`,
		"#comment", ";semi", "quote\"'", "tab\t", "host:path", "~", "$HOME", "\x01\x7f", ".hidden", "...",
		sdk.Path(strings.Repeat("n", sdk.MaxName)), "-d/-f", "new\nline/\xffd/f",
	} {
		f.add(t, n, noise(uint64(i), 100+i))
	}
	f.good(t)
}

func (s *suite) delta(t *testing.T) {
	f := s.fixture(t)
	old := noise(7, 16<<20)
	data := bytes.Clone(old)
	copy(data[5<<20:], "changed in the middle")
	data = append(data, "and at the end"...)
	name := f.add(t, "large", data)
	f.addBasis(t, name, old)
	before, err := os.Stat(f.basis(name))
	must(t, err)
	shrunk := f.add(t, "shrunk", old[:100])
	f.addBasis(t, shrunk, old)
	equal := f.add(t, "equal", old)
	f.addBasis(t, equal, old)
	o := f.good(t)
	if r := o.results[name]; s.transfer.Describe().Delta && r.Moved > int64(len(data))/4 {
		t.Errorf("%d bytes moved for a change of a few in %d", r.Moved, len(data))
	}
	for _, n := range []string{name, shrunk, equal} {
		got, err := os.ReadFile(filepath.Join(f.target, "old"+n))
		must(t, err)
		if !bytes.Equal(got, old) {
			t.Errorf("the earlier version %s was written to", n)
		}
	}
	after, err := os.Stat(f.basis(name))
	must(t, err)
	if !os.SameFile(before, after) || !before.ModTime().Equal(after.ModTime()) || before.Mode() != after.Mode() {
		t.Error("the earlier version was replaced or touched")
	}
	if out, err := os.Stat(f.out(equal)); err == nil {
		if b, err := os.Stat(f.basis(equal)); err == nil && os.SameFile(out, b) {
			t.Error("the output is a link to the earlier version: setting its attributes would change both")
		}
	}
}

func (s *suite) basisAbsent(t *testing.T) {
	f := s.fixture(t)
	f.add(t, "a", noise(1, 5000))
	b := f.add(t, "b", noise(2, 5000))
	c := f.add(t, "c", noise(3, 5000))
	for i := range f.files {
		f.files[i].Basis = true
	}
	must(t, os.Symlink("/etc/passwd", f.basis(b)))
	must(t, syscall.Mkfifo(f.basis(c), 0o600))
	f.good(t)
}

func (s *suite) sideBySide(t *testing.T) {
	var all sync.WaitGroup
	for i := range 3 {
		f := s.fixture(t)
		for k := range 20 {
			f.add(t, sdk.Path(fmt.Sprintf("f%d", k)), noise(uint64(i*100+k), 10000))
		}
		all.Go(func() {
			o := f.run(t.Context(), t, nil)
			if o.err != nil {
				t.Errorf("job %d: %v", i, o.err)
			}
			for _, r := range o.results {
				if r.Err != nil {
					t.Errorf("job %d: %v", i, r.Err)
				}
			}
		})
	}
	all.Wait()
}
