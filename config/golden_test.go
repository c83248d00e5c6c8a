package config_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/gsyncd/gsyncd-host/config"
)

var update = flag.Bool("update", false, "write the golden files anew")

// options are those of the tests: the drivers file and gluster, the method
// rsync, one environment variable, a link /tree/link to /tree/real,
// and a mount of /tree/real/sub at /mnt/bound.
func options(path string) config.Options {
	return config.Options{
		Path:      path,
		Schemes:   []string{"file", "gluster"},
		Transfers: []string{"rsync"},
		Env: func(name string) (string, bool) {
			if name == "HOME_DIR" {
				return "/home/me", true
			}
			return "", false
		},
		EvalSymlinks: func(p string) (string, error) {
			switch p {
			case "/", "/tree", "/tree/real":
				return p, nil
			case "/tree/link":
				return "/tree/real", nil
			}
			return "", os.ErrNotExist
		},
		Origin: func(p string) (string, error) {
			switch p {
			case "/tree/real":
				return "/8:1/real", nil
			case "/mnt/bound":
				return "/8:1/real/sub", nil
			}
			return "", os.ErrNotExist
		},
	}
}

// TestDiagnostics loads the files of each archive and compares what is said
// about them. Lines "var name=value" of the comment set variables.
func TestDiagnostics(t *testing.T) {
	archives, err := filepath.Glob("testdata/diagnostics/*.txtar")
	if err != nil || len(archives) == 0 {
		t.Fatalf("archives: %v, %v", archives, err)
	}
	for _, file := range archives {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			golden, err := filepath.Abs(file)
			if err != nil {
				t.Fatal(err)
			}
			archive, err := txtar.ParseFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			t.Chdir(t.TempDir())
			inputs, want := unpack(t, archive)
			opts := options(".")
			if len(inputs) == 1 {
				opts.Path = inputs[0].Name
			}
			opts.Vars = map[string]string{}
			for line := range strings.Lines(string(archive.Comment)) {
				if v, ok := strings.CutPrefix(strings.TrimSpace(line), "var "); ok {
					name, value, _ := strings.Cut(v, "=")
					opts.Vars[name] = value
				}
			}
			cfg, diags := config.Load(opts)
			var got bytes.Buffer
			if err := diags.WriteText(&got, cfg.Sources); err != nil {
				t.Fatal(err)
			}
			if *update {
				archive.Files = append(inputs, txtar.File{Name: "want", Data: got.Bytes()})
				if err := os.WriteFile(golden, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if !diags.HasErrors() {
				t.Error("no error was found")
			}
			if d := cmp.Diff(want, got.String()); d != "" {
				t.Errorf("-want +got:\n%s", d)
			}
		})
	}
}

// unpack writes the input files of an archive to the working directory.
func unpack(t *testing.T, archive *txtar.Archive) (inputs []txtar.File, want string) {
	t.Helper()
	for _, f := range archive.Files {
		if f.Name == "want" {
			want = string(f.Data)
			continue
		}
		inputs = append(inputs, f)
		if err := os.WriteFile(f.Name, f.Data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return inputs, want
}
