package config_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/gsyncd/gsyncd-host/config"
	"github.com/gsyncd/gsyncd-host/config/diag"
	"github.com/gsyncd/gsyncd-host/config/resurl"
	"github.com/gsyncd/gsyncd-host/sdk/grant"
)

// places leaves out of a comparison where things were read and how.
var places = cmp.Options{
	cmpopts.IgnoreTypes(diag.Range{}),
	cmpopts.IgnoreUnexported(config.Block{}),
	cmp.Comparer(func(a, b resurl.URL) bool { return a == b }),
}

func TestExamples(t *testing.T) {
	for _, name := range []string{"minimal.hcl", "full.hcl", "plugin.hcl", "guest.hcl", "zip.hcl", "https.hcl", "cpio.hcl", "remote.hcl", "gluster.hcl"} {
		opts := options("../examples/" + name)
		opts.Schemes = append(opts.Schemes, "ssh", "gluster")
		cfg := load(t, opts)
		src := cfg.Sources["../examples/"+name]
		out, diags := config.Format(name, src)
		if len(diags) > 0 || !bytes.Equal(out, src) {
			t.Errorf("%s is not in the canonical layout: %v\n%s", name, diags, cmp.Diff(string(src), string(out)))
		}
	}
}

func TestMinimal(t *testing.T) {
	cfg := load(t, options("../examples/minimal.hcl"))
	want := []*config.Mirror{{
		Name:      "data",
		Primary:   side(t, "/srv/data"),
		Secondary: side(t, "/mnt/mirror/data"),
		Transfer:  config.Transfer{Block: config.Block{Kind: config.TransferPlugin, Label: config.Auto}},
		Schedule:  config.Schedule{IdleShare: 0.02, Sweep: 24 * time.Hour, Detector: "auto"},
		Retry:     config.Retry{Min: time.Second, Max: 5 * time.Minute},
	}}
	if d := cmp.Diff(want, cfg.Mirrors, places); d != "" {
		t.Error(d)
	}
}

func TestFull(t *testing.T) {
	opts := options("../examples/full.hcl")
	opts.Vars = map[string]string{"target": "/backup"}
	cfg := load(t, opts)
	home := &config.Mirror{
		Name:      "home",
		Primary:   side(t, "/srv/home"),
		Secondary: side(t, "/backup/home"),
		Drivers:   []*config.Block{{Kind: config.DriverPlugin, Label: "file"}},
		Transfer: config.Transfer{
			Block: config.Block{Kind: config.TransferPlugin, Label: config.Auto},
			Jobs:  2, Threshold: 1 << 20,
		},
		Schedule: config.Schedule{Interval: time.Second, IdleShare: 0.02, Sweep: 24 * time.Hour, Detector: "auto"},
		Limits:   config.Limits{Rate: 20 << 20, MaxDeletes: 10000},
		Retry:    config.Retry{Min: time.Second, Max: 5 * time.Minute},
	}
	papers := &config.Mirror{
		Name:        "papers",
		Primary:     side(t, "/srv/my papers"),
		Secondary:   side(t, "file:///backup/my%20papers"),
		KeepDeleted: true,
		Transfer:    config.Transfer{Block: config.Block{Kind: config.TransferPlugin, Label: "rsync"}},
		Schedule:    config.Schedule{IdleShare: 0.02, Sweep: 24 * time.Hour, Detector: "auto"},
		Retry:       home.Retry,
	}
	want := &config.Config{
		Host: config.Host{
			StateDir: "/var/lib/gsyncd-host", PluginDirs: []string{"/usr/local/lib/gsyncd-host"},
			LogLevel: "info", LogFormat: "text",
		},
		Plugins: []*config.Plugin{{
			Kind: config.DriverPlugin, Name: "file", Env: []string{"TZ"},
			StartTimeout: 30 * time.Second, CallTimeout: 5 * time.Minute,
		}},
		Mirrors: []*config.Mirror{home, papers},
		Sources: cfg.Sources,
	}
	if d := cmp.Diff(want, cfg, places); d != "" {
		t.Error(d)
	}
}

func TestGuest(t *testing.T) {
	got := load(t, options("../examples/guest.hcl")).Plugins
	want := []*config.Plugin{{
		Kind: config.DriverPlugin, Name: "zip", Source: "zip.driver.wasm", SHA256: strings.Repeat("0123456789abcdef", 4),
		Limits: config.PluginLimits{Memory: 64 << 20, CallTimeout: 30 * time.Second},
		Allow: grant.Config{
			Dirs: []grant.DirConfig{{Path: "/srv/archives"}},
			HTTP: []grant.OriginConfig{{
				URL: "https://archives.example.com/zip/", CAFile: "/etc/gsyncd-host/archives-ca.pem",
				Headers: []grant.Header{{Name: "Authorization", Prefix: "Bearer ", Env: "ARCHIVES_TOKEN"}},
			}},
		},
		AllowRanges: make([]diag.Range, 2),
	}}
	if d := cmp.Diff(want, got, places); d != "" {
		t.Error(d)
	}
	if lines := []int{got[0].AllowRanges[0].Start.Line, got[0].AllowRanges[1].Start.Line}; lines[0] != 17 || lines[1] != 23 || !got[0].Guest() {
		t.Errorf("grants on lines %v", lines)
	}
}

func TestDirectory(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "b.hcl", `mirror "b" {
  primary = var.root
  secondary = "/mnt/b"
}`)
	write(t, dir, "a.hcl", `variable "root" {
  default = env("HOME_DIR")
}
mirror "a" {
  primary = "/srv/a"
  secondary = "/mnt/a"
}
plugin "transfer" "mine" {
  source = "./bin/mine"
  sha256 = "`+strings.Repeat("AB", 32)+`"
}`)
	write(t, dir, ".#a.hcl", "an editor's")
	write(t, dir, "notes.txt", "no configuration")
	cfg := load(t, options(dir))
	if got := cfg.Mirrors[1].Primary.URL.Path(); len(cfg.Mirrors) != 2 || cfg.Mirrors[0].Name != "a" || got != "/home/me" {
		t.Errorf("mirrors %v, primary %q", cfg.Mirrors, got)
	}
	wantPlugins := []*config.Plugin{{
		Kind: config.TransferPlugin, Name: "mine",
		Source: filepath.Join(dir, "bin/mine"), SHA256: strings.Repeat("ab", 32),
	}}
	if d := cmp.Diff(wantPlugins, cfg.Plugins, places); d != "" {
		t.Error(d)
	}

	some, diags := cfg.Select([]string{"b", "b"})
	if len(diags) > 0 || len(some) != 1 || some[0].Name != "b" {
		t.Errorf("selected %v, %v", some, diags)
	}
	if all, diags := cfg.Select(nil); len(diags) > 0 || len(all) != 2 {
		t.Errorf("selected %v, %v", all, diags)
	}
	if _, diags := cfg.Select([]string{"bb"}); len(diags) != 1 || diags[0].Detail != `did you mean "b"? declared are: a, b` {
		t.Errorf("an unknown name gives %v", diags)
	}
}

func TestUnreadable(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "empty"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(dir, "odd", "a.hcl"), 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, dir, "large.hcl", strings.Repeat("#", 1<<20+1))
	write(t, dir, "secret.hcl", "")
	if err := os.Chmod(filepath.Join(dir, "secret.hcl"), 0); err != nil {
		t.Fatal(err)
	}
	secret := "cannot read: permission denied"
	if os.Geteuid() == 0 {
		secret = "the file is empty: no mirror is declared"
	}
	for name, want := range map[string]struct{ file, summary string }{
		"none":       {"none", "cannot read: no such file or directory"},
		"empty":      {"empty", "there is no *.hcl file in this directory"},
		"odd":        {"odd/a.hcl", "cannot read: is a directory"},
		"large.hcl":  {"large.hcl", "the file is larger than 1 MiB, which no configuration is"},
		"secret.hcl": {"secret.hcl", secret},
	} {
		_, diags := config.Load(options(filepath.Join(dir, name)))
		if len(diags) != 1 || diags[0].Summary != want.summary || diags[0].Subject.File != filepath.Join(dir, want.file) {
			t.Errorf("%s: %+v, want %q at %s", name, diags, want.summary, want.file)
		}
	}
}

// TestDepth feeds the parser what would overflow the stack, and the most of it
// that is let through.
func TestDepth(t *testing.T) {
	dir := t.TempDir()
	for i, s := range []string{"[", "{", "(", "-", "!", "1?", "1?1:", "f(", "a{\n", "\"${", "1+", "a.b[c].", "\"%{if true}", "x[*].", "<<A\n${", "[for a in "} {
		name := string(rune('a'+i)) + ".hcl"
		write(t, dir, name, "x = "+strings.Repeat(s, (1<<17)/len(s)))
		if _, diags := config.Load(options(filepath.Join(dir, name))); !diags.HasErrors() {
			t.Errorf("%q without end is no error", s)
		}
	}
	const most = 9990
	for name, s := range map[string]string{
		"lists":  strings.Repeat("[", 490) + "1" + strings.Repeat("]", 490),
		"minus":  strings.Repeat("- ", most) + "1",
		"plus":   strings.Repeat("1 + ", most) + "1",
		"choice": strings.Repeat("true ? 1 : ", most) + "1",
		"index":  "[1]" + strings.Repeat("[0]", most),
		"splat":  "[1]" + strings.Repeat("[*]", most/3),
	} {
		write(t, dir, name+".hcl", "variable \"x\" {\n  default = "+s+"\n}\n")
		if _, diags := config.Load(options(filepath.Join(dir, name+".hcl"))); !diags.HasErrors() || strings.Contains(diags[0].Summary, "nesting") {
			t.Errorf("%s: %v", name, diags)
		}
	}
}

func load(t *testing.T, opts config.Options) *config.Config {
	t.Helper()
	cfg, diags := config.Load(opts)
	if len(diags) > 0 {
		var b bytes.Buffer
		if err := diags.WriteText(&b, cfg.Sources); err != nil {
			t.Fatal(err)
		}
		t.Fatalf("load %s:\n%s", opts.Path, b.String())
	}
	return cfg
}

func side(t *testing.T, raw string) config.Side {
	t.Helper()
	u, err := resurl.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return config.Side{URL: u, Raw: raw}
}

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestMany loads as many mirrors as one file can have.
func TestMany(t *testing.T) {
	var b strings.Builder
	b.WriteString("variable \"root\" {\n  default = \"/srv\"\n}\n")
	for i := range 3000 {
		fmt.Fprintf(&b, "mirror \"m%d\" {\n  primary = \"${var.root}/%d\"\n  secondary = \"/mnt/%d\"\n  driver \"file\" {}\n}\n", i, i, i)
	}
	dir := t.TempDir()
	write(t, dir, "many.hcl", b.String())
	if cfg := load(t, options(filepath.Join(dir, "many.hcl"))); len(cfg.Mirrors) != 3000 {
		t.Errorf("%d mirrors", len(cfg.Mirrors))
	}
}
