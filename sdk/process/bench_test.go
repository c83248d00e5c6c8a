package process_test

import (
	"fmt"
	"testing"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/schema"
)

func BenchmarkStart(b *testing.B) {
	c := command(b, "driver")
	for b.Loop() {
		p := launch(b, c)
		driver(b, p)
		b.StopTimer()
		p.Kill()
		b.StartTimer()
	}
}

func BenchmarkUnary(b *testing.B) {
	s := source(b, driver(b, launch(b, command(b, "driver"))), "x", nil)
	for b.Loop() {
		if _, err := s.Identity(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkScan(b *testing.B) {
	s := source(b, driver(b, launch(b, command(b, "driver"))), "x", schema.Values{"entries": int64(1000)})
	dirs := make([]sdk.Path, 100)
	for i := range dirs {
		dirs[i] = sdk.Path(fmt.Sprintf("d%d", i))
	}
	rows := 0
	sink := nopSink{entry: func(*sdk.Entry) error { rows++; return nil }}
	for b.Loop() {
		if err := s.Scan(b.Context(), sdk.ScanRequest{Dirs: dirs}, sink); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(rows)/b.Elapsed().Seconds(), "entries/s")
}

func BenchmarkApply(b *testing.B) {
	tg := target(b, driver(b, launch(b, command(b, "driver"))), "x")
	ops := make([]sdk.Op, sdk.MaxBatch)
	for i := range ops {
		ops[i] = sdk.Op{Kind: sdk.OpSetMeta, Path: sdk.Path(fmt.Sprintf("dir/sub/file%d", i)), Meta: sdk.Meta{Mask: sdk.MetaAll}}
	}
	for b.Loop() {
		if _, err := tg.Apply(b.Context(), ops); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N*len(ops))/b.Elapsed().Seconds(), "ops/s")
}

func BenchmarkRead(b *testing.B) {
	for _, size := range []int64{4 << 10, 64 << 20} {
		b.Run(fmt.Sprintf("file=%dKiB", size>>10), func(b *testing.B) {
			s := source(b, driver(b, launch(b, command(b, "driver"))), "x", schema.Values{"bytes": size})
			paths := make([]sdk.Path, min(sdk.MaxBatch, 256<<20/size))
			for i := range paths {
				paths[i] = sdk.Path(fmt.Sprintf("f%d", i))
			}
			b.SetBytes(size * int64(len(paths)))
			for b.Loop() {
				if err := s.Read(b.Context(), paths, &readCount{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkWrite(b *testing.B) {
	for _, size := range []int{4 << 10, 64 << 20} {
		b.Run(fmt.Sprintf("file=%dKiB", size>>10), func(b *testing.B) {
			tg := target(b, driver(b, launch(b, command(b, "driver"))), "x")
			files := min(sdk.MaxBatch, 256<<20/size)
			chunk := make([]byte, min(size, sdk.MaxChunk))
			b.SetBytes(int64(size * files))
			for b.Loop() {
				w, err := tg.Write(b.Context())
				if err != nil {
					b.Fatal(err)
				}
				for range files {
					err = w.Begin(sdk.NewFile{Path: "d/file", Size: int64(size)})
					for off := 0; err == nil && off < size; off += len(chunk) {
						err = w.Data(int64(off), chunk)
					}
					if err == nil {
						err = w.End(true)
					}
					if err != nil {
						b.Fatal(err)
					}
				}
				if _, err := w.Close(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
