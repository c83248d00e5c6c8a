package config

import (
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/gsyncd/gsyncd-host/config/diag"
	"github.com/gsyncd/gsyncd-host/sdk/grant"
	"github.com/gsyncd/gsyncd-host/sdk/schema"
)

// PluginLimits hold a plugin that is a WASM module.
type PluginLimits struct {
	Memory      int64         // bytes for each of its instances; 0: the host's default
	CallTimeout time.Duration // for one answer of the module; 0: the host's default
}

// maxMemory is all that a module can address.
const maxMemory = 4 << 30

var pluginLimitsSchema = schema.Schema{
	{Name: "memory", Type: schema.Size, Doc: "the most memory that each of the module's instances may have"},
	{Name: "call_timeout", Type: schema.Duration, Doc: "the longest time for one answer of the module"},
}

var allowDirSchema = schema.Schema{
	{Name: "write", Type: schema.Bool, Default: false, Doc: "whether the plugin may change what is in the directory"},
}

var allowHTTPSchema = schema.Schema{
	{Name: "ca_file", Type: schema.String, Doc: "a PEM file with the certificates that may vouch for the origin"},
}

var headerSchema = schema.Schema{
	{Name: "prefix", Type: schema.String, Doc: `what stands before the value, such as "Bearer "`},
	{Name: "value", Type: schema.String, Secret: true, Doc: "the value, if it is no secret"},
	{Name: "env", Type: schema.String, Doc: "the environment variable that holds the value"},
	{Name: "file", Type: schema.String, Doc: "the file that holds the value"},
}

// pluginBlocks decodes the blocks in a plugin block.
func (l *loader) pluginBlocks(p *Plugin, what string, blocks []*hclsyntax.Block) {
	var dirs, origins []diag.Range
	for _, b := range blocks {
		inner := b.Type + " of " + what
		if !l.labels(b) || !l.once(inner, "the "+b.Type+" block of "+what, diag.FromHCL(b.DefRange())) {
			continue
		}
		if b.Type == "limits" {
			l.pluginLimits(p, b, inner)
			continue
		}
		c := l.decode(b, layout{what: inner, blocks: []string{"dir", "http"}})
		for _, g := range c.blocks {
			one, ok := l.allowed(g, what)
			if !ok {
				continue
			}
			p.Allow.Dirs = append(p.Allow.Dirs, one.Dirs...)
			p.Allow.HTTP = append(p.Allow.HTTP, one.HTTP...)
			if at := diag.FromHCL(g.LabelRanges[0]); g.Type == "dir" {
				dirs = append(dirs, at)
			} else {
				origins = append(origins, at)
			}
		}
	}
	p.AllowRanges = append(dirs, origins...)
}

func (l *loader) pluginLimits(p *Plugin, b *hclsyntax.Block, what string) {
	c := l.decode(b, layout{what: what, attrs: pluginLimitsSchema})
	l.positive(c, "memory", "call_timeout")
	p.Limits = PluginLimits{Memory: c.values.Int("memory"), CallTimeout: c.values.Duration("call_timeout")}
	if p.Limits.Memory > maxMemory {
		l.fail(diag.FromHCL(c.exprs["memory"].Range()), `write a size such as "64MiB"`, "memory: a WASM module can have 4 GiB at most")
	}
	if !p.Guest() {
		l.fail(diag.FromHCL(b.DefRange()), limitsHint, "only a plugin that is a WASM module can be held to limits")
	}
}

const limitsHint = `leave it out; the source of a WASM module ends in ".wasm"`

// allowed decodes one grant.
func (l *loader) allowed(b *hclsyntax.Block, plugin string) (out grant.Config, ok bool) {
	label := map[string]string{"dir": "path", "http": "URL"}[b.Type]
	if !l.labels(b, label) {
		return out, false
	}
	what := fmt.Sprintf("%s %q", b.Type, b.Labels[0])
	if !l.once(what+" of "+plugin, what, diag.FromHCL(b.DefRange())) {
		return out, false
	}
	if b.Type == "dir" {
		c := l.decode(b, layout{what: what, attrs: allowDirSchema})
		out.Dirs = []grant.DirConfig{{Path: b.Labels[0], Write: c.values.Bool("write")}}
	} else {
		c := l.decode(b, layout{what: what, attrs: allowHTTPSchema, blocks: []string{"header"}})
		o := grant.OriginConfig{URL: b.Labels[0], CAFile: c.values.String("ca_file")}
		for _, h := range c.blocks {
			o.Headers = append(o.Headers, l.header(h)...)
		}
		out.HTTP = []grant.OriginConfig{o}
	}
	if err := out.Validate(); err != nil {
		l.fail(diag.FromHCL(b.LabelRanges[0]), "", "%v", err)
		return out, false
	}
	return out, true
}

// header decodes a header block, none if it is wrong.
func (l *loader) header(b *hclsyntax.Block) []grant.Header {
	if !l.labels(b, "name") {
		return nil
	}
	what := fmt.Sprintf("header %q", b.Labels[0])
	c := l.decode(b, layout{what: what, attrs: headerSchema})
	if len(c.exprs) == 0 || len(c.exprs) == 1 && c.exprs["prefix"] != nil {
		l.fail(diag.FromHCL(b.DefRange()), `write env = "NAME" or file = "/path"`, "%s has no value", what)
		return nil
	}
	v := c.values
	out := []grant.Header{{Name: b.Labels[0], Prefix: v.String("prefix"), Value: v.String("value"), Env: v.String("env"), File: v.String("file")}}
	alone := grant.Config{HTTP: []grant.OriginConfig{{URL: "https://origin", Headers: out}}}
	if err := errors.Unwrap(alone.Validate()); err != nil {
		l.fail(diag.FromHCL(b.LabelRanges[0]), "", "%v", err)
		return nil
	}
	return out
}

// checkGuest holds a WASM module to what it can have, and others to what they
// cannot.
func (l *loader) checkGuest(p *Plugin, what string, c content) {
	wrong := func(name, hint, summary string) {
		if expr := c.exprs[name]; expr != nil {
			l.fail(diag.FromHCL(expr.Range()), hint, "%s", summary)
		}
	}
	switch {
	case p.Guest():
		wrong("env", "leave it out; settings are given in driver blocks, access in allow", "a WASM module sees no environment variables")
		if p.Kind != DriverPlugin {
			l.fail(p.Range, "", "%s: a WASM module can be a driver only", what)
		}
	case p.Trusted:
		wrong("trusted", limitsHint, "only a plugin that is a WASM module can be trusted or not")
	}
	if p.Source == "" && !p.Allow.Empty() {
		l.fail(p.Range, "leave out the allow block", "%s is built in and needs no grants", what)
	}
}
