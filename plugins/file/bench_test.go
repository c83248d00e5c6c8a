package file_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/gsyncd/gsyncd-host/plugins/file"
	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/schema"
)

type counter struct{ n int }

func (c *counter) BeginDir(int, *sdk.Entry) error { return nil }
func (c *counter) Entry(*sdk.Entry) error         { c.n++; return nil }
func (c *counter) EndDir(int, *sdk.Error) error   { return nil }

// BenchmarkScan gives the time for one entry of a warm tree.
func BenchmarkScan(b *testing.B) {
	dir := b.TempDir()
	var dirs []sdk.Path
	for i := range 100 {
		name := fmt.Sprintf("d%03d", i)
		mkdir(b, filepath.Join(dir, name))
		dirs = append(dirs, sdk.Path(name))
		for j := range 100 {
			must(b, os.WriteFile(filepath.Join(dir, name, fmt.Sprintf("file%03d", j)), nil, 0o644))
		}
	}
	for _, jobs := range []int64{1, 2} {
		for _, fields := range []sdk.Fields{0, sdk.FieldTarget | sdk.FieldXattrs} {
			b.Run(fmt.Sprintf("jobs=%d/fields=%d", jobs, fields), func(b *testing.B) {
				src, err := file.New(nil).OpenSource(b.Context(), sdk.OpenRequest{
					Address: sdk.Address{Scheme: "file", Rest: dir}, Role: sdk.Primary, Config: schema.Values{"jobs": jobs}})
				must(b, err)
				defer src.Close()
				var c counter
				b.ReportAllocs()
				for b.Loop() {
					must(b, src.Scan(b.Context(), sdk.ScanRequest{Dirs: dirs, Fields: fields}, &c))
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(c.n), "ns/entry")
			})
		}
	}
}
