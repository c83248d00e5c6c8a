package plugin

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/gsyncd/gsyncd-host/plugins/file"
	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/grant"
	"github.com/gsyncd/gsyncd-host/sdk/schema"
)

// BenchmarkCrawl lists 100,000 entries through each kind of border.
func BenchmarkCrawl(b *testing.B) {
	base := b.TempDir()
	dirs := []sdk.Path{sdk.Root}
	for i := range 100 {
		dir := fmt.Sprintf("dir%02d", i)
		dirs = append(dirs, sdk.Path(dir))
		if err := os.Mkdir(filepath.Join(base, dir), 0o755); err != nil {
			b.Fatal(err)
		}
		for j := range 1000 {
			if err := os.WriteFile(filepath.Join(base, dir, fmt.Sprintf("file%04d", j)), nil, 0o644); err != nil {
				b.Fatal(err)
			}
		}
	}
	path := guests.Module(b, "github.com/gsyncd/gsyncd-host/examples/granted")
	granted := grant.Config{Dirs: []grant.DirConfig{{Path: base}}}
	guest := Declaration{Kind: KindDriver, Name: "granted", Path: path, SHA256: sumOf(b, path), Grants: granted}
	trusted := guest
	trusted.Trusted = true
	for _, c := range []struct {
		name, driver string
		declared     []Declaration
		hide         []string // a guest that looks at each entry
	}{
		{"inprocess", "file", []Declaration{{Kind: KindDriver, Name: "file", Isolation: IsolateNone}}, nil},
		{"process", "file", nil, nil},
		{"trusted", "granted", []Declaration{trusted}, nil},
		{"untrusted", "granted", []Declaration{guest}, nil},
		{"trusted-looking", "granted", []Declaration{trusted}, []string{".none"}},
		{"untrusted-looking", "granted", []Declaration{guest}, []string{".none"}},
	} {
		b.Run(c.name, func(b *testing.B) {
			reg := registry(c.declared...)
			reg.Drivers["file"] = file.New
			s := supervisor(b, reg, Options{Logger: slog.New(slog.DiscardHandler)})
			p, err := s.Start(b.Context(), KindDriver, c.driver, "")
			if err != nil {
				b.Fatal(err)
			}
			values := schema.Values{"jobs": int64(2), "cross_mounts": false}
			if c.hide != nil {
				values["hide"] = c.hide
			}
			src, err := p.Driver().OpenSource(b.Context(), sdk.OpenRequest{Address: sdk.Address{Scheme: c.driver, Rest: base}, Config: values})
			if err != nil {
				b.Fatal(err)
			}
			best := time.Hour
			for b.Loop() {
				begin := time.Now()
				rows := 0
				if err := src.Scan(b.Context(), sdk.ScanRequest{Dirs: dirs}, counter{&rows}); err != nil || rows != 100_100 {
					b.Fatal(rows, err)
				}
				best = min(best, time.Since(begin))
			}
			b.ReportMetric(float64(best.Milliseconds()), "best-ms")
			if err := src.Close(); err != nil {
				b.Error(err)
			}
			p.Stop(b.Context())
		})
	}
}

// counter is a sink that counts.
type counter struct{ rows *int }

func (c counter) BeginDir(int, *sdk.Entry) error { return nil }
func (c counter) Entry(*sdk.Entry) error         { *c.rows++; return nil }
func (c counter) EndDir(_ int, err *sdk.Error) error {
	if err != nil {
		return err
	}
	return nil
}
