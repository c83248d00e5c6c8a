package config_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gsyncd/gsyncd-host/config"
	"github.com/gsyncd/gsyncd-host/config/diag"
	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/schema"
)

const pluginConfig = `variable "n" {
  type    = number
  default = "3"
}
mirror "a" {
  primary   = "/srv/a"
  secondary = "gluster://host:vol"
  driver "file" {
    count = var.n
    cache = "64MiB"
    pause = "1d"
    share = "5%"
    on    = true
    mode  = "fast"
    names = ["a", upper("b")]
  }
  transfer "rsync" {
    cach  = "64MiB"
    count = "many"
    mode  = "fats"
    nested {}
  }
}
`

var pluginSchema = schema.Schema{
	{Name: "count", Type: schema.Count},
	{Name: "cache", Type: schema.Size, Required: true, Doc: "memory it may use"},
	{Name: "pause", Type: schema.Duration},
	{Name: "rate", Type: schema.Rate, Default: int64(7)},
	{Name: "share", Type: schema.Share},
	{Name: "on", Type: schema.Bool},
	{Name: "mode", Type: schema.String, OneOf: []string{"fast", "slow"}},
	{Name: "names", Type: schema.Strings},
}

func pluginMirror(t *testing.T) (*config.Config, *config.Mirror) {
	t.Helper()
	t.Chdir(t.TempDir())
	write(t, ".", "p.hcl", pluginConfig)
	cfg := load(t, options("p.hcl"))
	return cfg, cfg.Mirrors[0]
}

func TestDecode(t *testing.T) {
	_, m := pluginMirror(t)
	got, diags := m.Driver("file").Decode(pluginSchema)
	want := schema.Values{
		"count": int64(3), "cache": int64(64 << 20), "pause": 24 * time.Hour, "rate": int64(7), "share": 0.05,
		"on": true, "mode": "fast", "names": []string{"a", "B"},
	}
	if d := cmp.Diff(want, got); d != "" || len(diags) > 0 {
		t.Errorf("%v\n%s", diags, d)
	}
}

func TestDecodeErrors(t *testing.T) {
	cfg, m := pluginMirror(t)
	_, diags := m.Transfer.Decode(pluginSchema)
	_, more := m.Driver("gluster").Decode(pluginSchema)
	want := `p.hcl:17:3: error: transfer "rsync" has no cache
    transfer "rsync" {
    ^^^^^^^^^^^^^^^^
  hint: write cache = "64MiB": memory it may use
p.hcl:18:5: error: unknown argument "cach" in transfer "rsync"
      cach  = "64MiB"
      ^^^^
  hint: did you mean "cache"? arguments here: cache, count, mode, names, on, pause, rate, share
p.hcl:19:13: error: count must be a whole number, not a string
      count = "many"
              ^^^^^^
  hint: write count = 4
p.hcl:20:13: error: mode cannot be "fats"
      mode  = "fats"
              ^^^^^^
  hint: did you mean "fast"? possible are: fast, slow
p.hcl:21:5: error: unknown block "nested" in transfer "rsync"
      nested {}
      ^^^^^^
  hint: there are no blocks here
p.hcl:7:15: error: driver "gluster" has no cache
    secondary = "gluster://host:vol"
                ^^^^^^^^^^^^^^^^^^^^
  hint: write cache = "64MiB": memory it may use
`
	compare(t, cfg, append(diags, more...), want)
}

func TestDiagnose(t *testing.T) {
	cfg, m := pluginMirror(t)
	compare(t, cfg, diag.List{
		m.Diagnose(sdk.Primary, schema.Diagnostic{Attribute: "mode", Summary: "too fast", Detail: `write "slow"`}),
		m.Diagnose(sdk.Primary, schema.Diagnostic{Attribute: "rate", Summary: "rate is not written", Warning: true}),
		m.Diagnose(sdk.Primary, schema.Diagnostic{Summary: "no such directory"}),
		m.Diagnose(sdk.Secondary, schema.Diagnostic{Attribute: "rate", Summary: "there is no block"}),
		m.Transfer.Diagnose(schema.Diagnostic{Summary: "no program rsync on this machine"}),
	}, `p.hcl:14:13: error: too fast
      mode  = "fast"
              ^^^^^^
  hint: write "slow"
p.hcl:8:3: warning: rate is not written
    driver "file" {
    ^^^^^^^^^^^^^
p.hcl:6:15: error: no such directory
    primary   = "/srv/a"
                ^^^^^^^^
p.hcl:7:15: error: there is no block
    secondary = "gluster://host:vol"
                ^^^^^^^^^^^^^^^^^^^^
p.hcl:17:3: error: no program rsync on this machine
    transfer "rsync" {
    ^^^^^^^^^^^^^^^^
`)
}

func TestFromURLs(t *testing.T) {
	cfg, diags := config.FromURLs("/srv/my data", "/mnt/data", options(""))
	if len(diags) > 0 {
		t.Fatal(diags)
	}
	minimal := load(t, options("../examples/minimal.hcl")).Mirrors[0]
	got := cfg.Mirrors[0]
	if got.Primary.URL.Path() != "/srv/my data" {
		t.Errorf("primary %+v", got.Primary)
	}
	minimal.Name, minimal.Primary, minimal.Secondary = got.Name, got.Primary, got.Secondary
	if d := cmp.Diff(minimal, got, places); d != "" {
		t.Error("the defaults differ:", d)
	}
	again, _ := config.FromURLs("file:///srv/my%20data/", "/mnt//data", options(""))
	other, _ := config.FromURLs("/mnt/data", "/srv/my data", options(""))
	if again.Mirrors[0].Name != got.Name || other.Mirrors[0].Name == got.Name {
		t.Errorf("names %s, %s, %s", got.Name, again.Mirrors[0].Name, other.Mirrors[0].Name)
	}
	if v, diags := got.Driver("file").Decode(schema.Schema{{Name: "n", Type: schema.Count, Default: int64(2)}}); len(diags) > 0 || v.Int("n") != 2 {
		t.Errorf("decoded %v, %v", v, diags)
	}
}

func TestFromURLsErrors(t *testing.T) {
	cfg, diags := config.FromURLs("data", "host:vo*l", options(""))
	compare(t, cfg, diags, `argument 1: error: primary: "data" is neither an absolute path nor a URL
  data
  ^^^^
  hint: a path is absolute: /data; a Gluster volume is host:volume, or :volume on this machine
argument 2: error: secondary: '*' cannot stand in a URL of this kind
  host:vo*l
         ^
`)
	cfg, diags = config.FromURLs("/tree/real", "/tree/link/sub", options(""))
	compare(t, cfg, diags, `argument 2: error: the secondary lies inside the primary
  /tree/link/sub
  ^^^^^^^^^^^^^^
  argument 1: the primary is here
  /tree/real
  ^^^^^^^^^^
  hint: it is so once symbolic links are followed
`)
	cfg, diags = config.FromURLs("", "s3://bucket", options(""))
	compare(t, cfg, diags, `argument 1: error: primary: the URL is empty
  hint: write a path such as /data, or a URL
argument 2: error: secondary: unknown scheme "s3"
  s3://bucket
  ^^
  hint: known schemes: file, gluster
`)
}

func TestFormat(t *testing.T) {
	out, diags := config.Format("x.hcl", []byte("mirror \"a\" {\nprimary=\"/a\" # here\n  secondary   =   \"/b\"\n}\n"))
	want := "mirror \"a\" {\n  primary   = \"/a\" # here\n  secondary = \"/b\"\n}\n"
	if string(out) != want || len(diags) > 0 {
		t.Errorf("%q, %v", out, diags)
	}
	if out, diags := config.Format("x.hcl", []byte("mirror {")); out != nil || !diags.HasErrors() || diags[0].Subject.File != "x.hcl" {
		t.Errorf("%q, %v", out, diags)
	}
}

func compare(t *testing.T, cfg *config.Config, diags diag.List, want string) {
	t.Helper()
	var b bytes.Buffer
	if err := diags.WriteText(&b, cfg.Sources); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, b.String()); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
}
