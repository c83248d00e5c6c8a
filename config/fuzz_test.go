package config_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/gsyncd/gsyncd-host/config"
	"github.com/gsyncd/gsyncd-host/config/diag"
	"github.com/gsyncd/gsyncd-host/sdk/schema"
)

// FuzzLoad loads any text. Nothing panics, places lie in the text, a
// configuration without errors is whole, and formatting does not change it.
func FuzzLoad(f *testing.F) {
	archives, err := filepath.Glob("testdata/diagnostics/*.txtar")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range archives {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(archive.Files[0].Data)
	}
	examples, err := filepath.Glob("../examples/*.hcl")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range examples {
		src, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(src)
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		file := filepath.Join(t.TempDir(), "x.hcl")
		if err := os.WriteFile(file, src, 0o600); err != nil {
			t.Fatal(err)
		}
		cfg, diags := config.Load(options(file))
		inRange(t, src, diags)
		for _, m := range cfg.Mirrors {
			for _, b := range append(m.Drivers, &m.Transfer.Block, m.Driver("none")) {
				_, ds := b.Decode(schema.Schema{{Name: "n", Type: schema.Count, Required: true}, {Name: "l", Type: schema.Strings}})
				inRange(t, src, ds)
			}
		}
		var text, js bytes.Buffer
		if err := diags.WriteText(&text, cfg.Sources); err != nil {
			t.Fatal(err)
		}
		if err := diags.WriteJSON(&js); err != nil {
			t.Fatal(err)
		}
		if bytes.ContainsAny(text.Bytes(), "\x00\x07\x1b\r") {
			t.Fatalf("control characters come through: %q", text.String())
		}
		if diags.HasErrors() {
			return
		}
		if len(cfg.Mirrors) == 0 {
			t.Fatal("neither a mirror nor an error")
		}
		for _, m := range cfg.Mirrors {
			if m.Name == "" || m.Primary.URL.IsZero() || m.Secondary.URL.IsZero() || m.Schedule.Detector == "" || m.Retry.Min <= 0 {
				t.Fatalf("mirror %+v is not whole", m)
			}
		}
		if out, ds := config.Format(file, src); ds.HasErrors() || len(out) == 0 {
			t.Fatalf("what loads is not formatted: %v", ds)
		}
	})
}

func inRange(t *testing.T, src []byte, diags diag.List) {
	t.Helper()
	for _, d := range diags {
		if d.Summary == "" {
			t.Fatalf("empty summary: %+v", d)
		}
		places := []diag.Range{d.Subject}
		for _, r := range d.Related {
			places = append(places, r.Range)
		}
		for _, r := range places {
			if r.File == "" || r.Start.Byte < 0 || r.End.Byte < r.Start.Byte || r.End.Byte > len(src) {
				t.Fatalf("range out of %d bytes: %+v", len(src), d)
			}
		}
	}
}
