package marker

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

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

// grid is a source of directories three levels deep, wide[0] in the root, and nothing
// else, that takes no memory itself.
type grid struct {
	*fakeFS
	wide [3]int
}

func (g *grid) Scan(_ context.Context, req sdk.ScanRequest, sink sdk.ScanSink) error {
	for i, p := range req.Dirs {
		at, level := 0, 0
		for name := range strings.SplitSeq(string(p), "/") {
			if p == sdk.Root {
				break
			}
			n, err := strconv.Atoi(strings.TrimPrefix(name, "directory-"))
			if err != nil {
				return err
			}
			at, level = (at+n+1)*1000, level+1
		}
		self := g.root.entry
		if p != sdk.Root {
			self.ID.Ino = uint64(at / 1000)
		}
		if err := sink.BeginDir(i, &self); err != nil {
			return err
		}
		for n := 0; level < len(g.wide) && n < g.wide[level]; n++ {
			kid := g.root.entry
			kid.Name, kid.ID.Ino = fmt.Sprintf("directory-%03d", n), uint64(at+n+1)
			if err := sink.Entry(&kid); err != nil {
				return err
			}
		}
		if err := sink.EndDir(i, nil); err != nil {
			return err
		}
	}
	return nil
}

// BenchmarkLoad is the start with an index of many directories: what it takes, and
// what it then holds.
func BenchmarkLoad(b *testing.B) {
	for _, wide := range [][3]int{{10, 100, 100}, {10, 1000, 100}, {100, 1000, 100}} {
		dirs := 1 + wide[0]*(1+wide[1]*(1+wide[2]))
		b.Run(strconv.Itoa(dirs), func(b *testing.B) {
			if dirs > 2_000_000 && os.Getenv("GSYNCD_LARGE") == "" {
				b.Skip("takes gigabytes; GSYNCD_LARGE=1 runs it")
			}
			src, dir := &grid{newFakeFS(b), wide}, b.TempDir()
			src.root.entry.ID.Ino = 1 << 62
			src.pass()
			empty := heap()
			m, err := Open(dir, Options{})
			if err != nil {
				b.Fatal(err)
			}
			began := time.Now()
			if _, err := m.Refresh(b.Context(), src, Hint{All: true}); err != nil {
				b.Fatal(err)
			}
			first := time.Since(began)
			if err := m.Close(); err != nil {
				b.Fatal(err)
			}
			info, err := os.Stat(filepath.Join(dir, indexName))
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				m = nil
				if m, err = Open(dir, Options{}); err != nil || m.tree.len() != dirs {
					b.Fatal(m.tree.len(), err)
				}
				if err := m.Close(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(first.Seconds(), "s/first-pass")
			b.ReportMetric(float64(heap()-empty)/float64(dirs), "heap-B/dir")
			b.ReportMetric(float64(info.Size())/float64(dirs), "file-B/dir")
			runtime.KeepAlive(m)
		})
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
