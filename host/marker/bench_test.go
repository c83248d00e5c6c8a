package marker

import (
	"context"
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// bulk is a source of many directories with the same files in each, that costs
// next to nothing itself.
type bulk struct {
	*fakeFS
	names, files []sdk.Entry
}

func newBulk(b *testing.B, dirs, files int) *bulk {
	s := &bulk{fakeFS: newFakeFS(b)}
	for i := range dirs {
		o := s.object(sdk.TypeDir)
		o.entry.Name = fmt.Sprintf("directory-%05d", i)
		s.names = append(s.names, o.entry)
	}
	for i := range files {
		o := s.object(sdk.TypeRegular)
		o.entry.Name, o.entry.Size = fmt.Sprintf("some-file-name-%03d.txt", i), int64(i)
		s.files = append(s.files, o.entry)
	}
	s.pass()
	return s
}

func (s *bulk) Scan(_ context.Context, req sdk.ScanRequest, sink sdk.ScanSink) error {
	for i, p := range req.Dirs {
		self, kids := s.root.entry, s.names
		if p != sdk.Root {
			var n int
			fmt.Sscanf(strings.TrimPrefix(string(p), "directory-"), "%d", &n)
			self, kids = s.names[n], s.files
		}
		if err := sink.BeginDir(i, &self); err != nil {
			return err
		}
		for k := range kids {
			if err := sink.Entry(&kids[k]); err != nil {
				return err
			}
		}
		if err := sink.EndDir(i, nil); err != nil {
			return err
		}
	}
	return nil
}

func heap() uint64 {
	runtime.GC()
	var ms runtime.MemStats
	runtime.ReadMemStats(&ms)
	return ms.HeapAlloc
}

// BenchmarkPass is one pass over 1,000,000 files in 10,000 directories: the
// marker's own share of it, the source being next to free.
func BenchmarkPass(b *testing.B) {
	const dirs, files = 10_000, 100
	src := newBulk(b, dirs, files)
	empty := heap()
	m, err := Open(b.TempDir(), Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer m.Close()
	if _, err := m.Refresh(b.Context(), src, Hint{All: true}); err != nil {
		b.Fatal(err)
	}
	held := heap() - empty
	b.ReportAllocs()
	for b.Loop() {
		if p, err := m.Refresh(b.Context(), src, Hint{All: true}); err != nil || p.Changed {
			b.Fatal(p, err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/(dirs*files), "ns/entry")
	b.ReportMetric(float64(held)/dirs, "heap-B/dir")
}

// BenchmarkLoad is the start with an index of 100,000 directories.
func BenchmarkLoad(b *testing.B) {
	src, dir := newBulk(b, 100_000, 0), b.TempDir()
	m, err := Open(dir, Options{})
	if err != nil {
		b.Fatal(err)
	}
	if _, err := m.Refresh(b.Context(), src, Hint{All: true}); err != nil {
		b.Fatal(err)
	}
	if err := m.Close(); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		m, err := Open(filepath.Clean(dir), Options{})
		if err != nil || m.tree.len() != 100_001 {
			b.Fatal(m.tree.len(), err)
		}
		m.Close()
	}
}

// BenchmarkPartial is a pass that finds one change in 100,000 directories with
// native xtimes, three levels deep, and one that finds none.
func BenchmarkPartial(b *testing.B) {
	fs := newFakeFS(b)
	fs.native = true
	fs.index.Volume = sdk.UUID{1}
	n := fs.value
	for i := range 46 {
		for k := range 46 {
			for l := range 47 {
				fs.mkdirAll(sdk.Path(fmt.Sprintf("d%02d/e%02d/f%02d", i, k, l)))
			}
		}
	}
	fs.pass()
	m, err := Open(b.TempDir(), Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer m.Close()
	if _, err := m.Refresh(b.Context(), fs, Hint{All: true}); err != nil {
		b.Fatal(err)
	}
	for name, change := range map[string]bool{"quiet": false, "one change": true} {
		b.Run(name, func(b *testing.B) {
			fs.listed = 0
			b.ReportAllocs()
			for b.Loop() {
				if change {
					n++
					fs.chmod("d22/e22/f22", sdk.Perm(n%2))
					fs.pass()
				}
				p, err := m.Refresh(b.Context(), fs, Hint{All: true})
				if err != nil || p.Changed != change || p.Swept {
					b.Fatal(p, err)
				}
			}
			b.ReportMetric(float64(fs.listed)/float64(b.N), "listings")
			b.ReportMetric(float64(len(m.tree.byID)), "dirs")
		})
	}
}
