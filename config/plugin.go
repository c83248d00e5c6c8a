package config

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/gsyncd/gsyncd-host/config/diag"
	"github.com/gsyncd/gsyncd-host/sdk/grant"
	"github.com/gsyncd/gsyncd-host/sdk/schema"
)

// PluginKind is what a plugin is for, as written in the configuration.
type PluginKind string

// The kinds.
const (
	DriverPlugin   PluginKind = "driver"
	TransferPlugin PluginKind = "transfer"
)

// Plugin declares where a plugin comes from and how it is run. A driver's name
// is the URL scheme it is declared for, a transfer method's the label of
// transfer blocks.
type Plugin struct {
	Kind PluginKind
	Name string
	// Source is the program or WASM module: an absolute path, or a name to be
	// looked for in the plugin directories. Empty for a built-in plugin.
	Source string
	SHA256 string // of the file, 64 lower-case hexadecimal digits; empty for a built-in
	// InProcess runs a built-in without a process of its own.
	InProcess    bool
	Env          []string      // names of environment variables that it may see
	StartTimeout time.Duration // 0: the host's default
	CallTimeout  time.Duration // 0: the host's default
	// Trusted, of a guest: it is not stopped when it hangs, and is faster for it.
	Trusted bool
	Limits  PluginLimits // of a guest
	// Allow is what the plugin may reach through the host. AllowRanges are the
	// places of the directories, then those of the origins.
	Allow       grant.Config
	AllowRanges []diag.Range
	Range       diag.Range // of the block's header
	SourceRange diag.Range // of the source, or of the header
	SHA256Range diag.Range // of the checksum, or of the header
}

// Guest reports whether the plugin is a WASM module, which the host runs confined.
func (p *Plugin) Guest() bool { return strings.HasSuffix(p.Source, guestSuffix) }

// guestSuffix ends the names of WASM modules.
const guestSuffix = ".wasm"

var pluginSchema = schema.Schema{
	{Name: "source", Type: schema.String, Doc: "path of the program or WASM module, or its name in a plugin directory"},
	{Name: "sha256", Type: schema.String, Doc: "the file's checksum, as sha256sum prints it"},
	{Name: "isolation", Type: schema.String, OneOf: []string{"process", "inprocess"}, Default: "process"},
	{Name: "env", Type: schema.Strings, Doc: "names of environment variables that the plugin may see"},
	{Name: "start_timeout", Type: schema.Duration},
	{Name: "call_timeout", Type: schema.Duration},
	{Name: "trusted", Type: schema.Bool, Doc: "whether a WASM module runs faster, and cannot be stopped when it hangs"},
}

var (
	sha256RX = regexp.MustCompile(`^[0-9a-fA-F]{64}$`)
	envRX    = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	// A driver's name is a scheme.
	pluginRX = regexp.MustCompile(`^[a-z][a-z0-9+.-]*$`)
)

func (l *loader) plugin(b *hclsyntax.Block) {
	if !l.labels(b, "kind", "name") {
		return
	}
	kind, name, header := PluginKind(b.Labels[0]), b.Labels[1], diag.FromHCL(b.DefRange())
	var builtin []string
	switch kind {
	case DriverPlugin:
		builtin = l.opts.Schemes
	case TransferPlugin:
		builtin = l.opts.Transfers
	default:
		kinds := []string{string(DriverPlugin), string(TransferPlugin)}
		l.fail(diag.FromHCL(b.LabelRanges[0]), didYouMean(b.Labels[0], kinds, `write plugin "driver" "name" or plugin "transfer" "name"`), "%q is not a kind of plugin", b.Labels[0])
		return
	}
	what := fmt.Sprintf("plugin %q %q", kind, name)
	switch {
	case !pluginRX.MatchString(name):
		l.fail(diag.FromHCL(b.LabelRanges[1]), "a name is made of a-z, 0-9, '+', '-' and '.', a letter first", "%q cannot be the name of a plugin", name)
	case kind == TransferPlugin && ownTransfer(name):
		l.fail(diag.FromHCL(b.LabelRanges[1]), "choose another name", "%q is a transfer method of the host itself", name)
	}
	if !l.once(what, what, header) {
		return
	}
	c := l.decode(b, layout{what: what, attrs: pluginSchema, blocks: []string{"limits", "allow"}})
	p := &Plugin{
		Kind: kind, Name: name, Range: header,
		Source:       c.values.String("source"),
		SHA256:       strings.ToLower(c.values.String("sha256")),
		InProcess:    c.values.String("isolation") == "inprocess",
		Env:          c.values.Strings("env"),
		StartTimeout: c.values.Duration("start_timeout"),
		CallTimeout:  c.values.Duration("call_timeout"),
		Trusted:      c.values.Bool("trusted"),
	}
	p.SourceRange, p.SHA256Range = c.place("source", header), c.place("sha256", header)
	l.pluginBlocks(p, what, c.blocks)
	l.checkPlugin(p, what, b.Body, c, slices.Contains(builtin, name))
	if strings.ContainsRune(p.Source, '/') && !filepath.IsAbs(p.Source) {
		p.Source = filepath.Join(filepath.Dir(header.File), p.Source)
		if abs, err := filepath.Abs(p.Source); err == nil {
			p.Source = abs
		}
	}
	l.cfg.Plugins = append(l.cfg.Plugins, p)
}

// checkPlugin checks what the settings of a plugin have to do with one another.
func (l *loader) checkPlugin(p *Plugin, what string, body *hclsyntax.Body, c content, builtin bool) {
	at := func(name string) diag.Range { return diag.FromHCL(c.exprs[name].Range()) }
	has := func(name string) bool { return body.Attributes[name] != nil }
	switch {
	case c.exprs["source"] != nil && p.Source == "":
		l.fail(at("source"), "leave it out for a built-in plugin", "source is empty")
	case !has("source") && !builtin:
		l.fail(p.Range, `write source = "/path/of/the/program"`, "%s has no source, and no built-in plugin has this name", what)
	case has("source") && !has("sha256"):
		l.fail(p.Range, `write sha256 = "…", with what "sha256sum PROGRAM" prints`, "%s has no sha256", what)
	case !has("source") && c.exprs["sha256"] != nil:
		l.fail(at("sha256"), "leave it out, or name a source", "a built-in plugin has no sha256")
	}
	l.checkGuest(p, what, c)
	if has("source") && c.exprs["sha256"] != nil && !sha256RX.MatchString(p.SHA256) {
		l.fail(at("sha256"), `it is the first word of what "sha256sum PROGRAM" prints`, "sha256 must be 64 hexadecimal digits")
	}
	if p.InProcess && has("source") {
		l.fail(at("isolation"), `leave it out, or write isolation = "process"`, "only a built-in plugin can run in the host's process")
	}
	for _, name := range p.Env {
		if !envRX.MatchString(name) {
			l.fail(at("env"), "list names only, without values", "env: %q is not the name of an environment variable", name)
		}
	}
	for _, name := range []string{"start_timeout", "call_timeout"} {
		if c.exprs[name] != nil && c.values.Duration(name) <= 0 {
			l.fail(at(name), `write a duration such as "30s"`, "%s must be longer than nothing", name)
		}
	}
}
