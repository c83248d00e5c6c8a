package config

import (
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/gsyncd/gsyncd-host/config/diag"
)

// Load reads a file, or all *.hcl files of a directory as if they were one. It
// returns all that is wrong, sorted by place; the Config is never nil.
func Load(opts Options) (*Config, diag.List) {
	l := newLoader(opts)
	bodies := l.read()
	if !l.diags.HasErrors() {
		l.declarations(bodies)
	}
	return l.cfg, l.diags.Sort()
}

// loader collects the outcome of one Load.
type loader struct {
	opts  Options
	cfg   *Config
	diags diag.List
	scope *scope
	seen  map[string]diag.Range // what may be declared once, by a key
}

func newLoader(opts Options) *loader {
	sources := diag.Sources{}
	return &loader{
		opts: opts,
		cfg:  &Config{Sources: sources},
		scope: &scope{
			sources: sources,
			context: &hcl.EvalContext{Functions: functions(opts.Env)},
		},
		seen: map[string]diag.Range{},
	}
}

// declarations decodes the blocks of all files.
func (l *loader) declarations(bodies []*hclsyntax.Body) {
	types := []string{"host", "mirror", "plugin", "variable"}
	blocks := map[string][]*hclsyntax.Block{}
	for _, body := range bodies {
		l.diags.Add(strangers(body, "", nil, types)...)
		for _, b := range body.Blocks {
			blocks[b.Type] = append(blocks[b.Type], b)
		}
	}
	l.variables(blocks["variable"])
	for _, b := range blocks["host"] {
		l.host(b)
	}
	for _, b := range blocks["plugin"] {
		l.plugin(b)
	}
	for _, b := range blocks["mirror"] {
		l.mirror(b)
	}
	l.sharedSecondaries()
	if len(blocks["mirror"]) == 0 && !l.opts.PluginsOnly && !l.diags.HasErrors() {
		l.none()
	}
}

// labels checks that a block has the labels it needs. what says which they are.
func (l *loader) labels(b *hclsyntax.Block, what ...string) bool {
	if len(b.Labels) == len(what) {
		return true
	}
	form := b.Type
	for _, w := range what {
		form += fmt.Sprintf(" %q", w)
	}
	d := diag.Diagnostic{
		Summary: fmt.Sprintf("a %s block has no label", b.Type),
		Detail:  "write " + form + " { … }",
		Subject: diag.FromHCL(b.DefRange()),
	}
	if len(what) > 0 {
		d.Summary = fmt.Sprintf("a %s block needs its %s", b.Type, strings.Join(what, " and "))
	}
	if len(b.Labels) > len(what) {
		d.Summary = fmt.Sprintf("a %s block has a label too many here", b.Type)
		d.Subject = diag.FromHCL(b.LabelRanges[len(what)])
	}
	l.diags.Add(d)
	return false
}

// once notes that what key stands for is declared at r, and complains if it
// was before.
func (l *loader) once(key, what string, r diag.Range) bool {
	first, again := l.seen[key]
	if !again {
		l.seen[key] = r
		return true
	}
	l.diags.Add(diag.Diagnostic{
		Summary: what + " is declared twice",
		Detail:  "remove one of them, or give it another name",
		Subject: r,
		Related: []diag.Related{{Message: "the first one is here", Range: first}},
	})
	return false
}

// fail adds an error.
func (l *loader) fail(r diag.Range, hint, format string, args ...any) {
	l.diags.Add(diag.Diagnostic{Summary: fmt.Sprintf(format, args...), Detail: hint, Subject: r})
}

// decode decodes a block of the host's own.
func (l *loader) decode(b *hclsyntax.Block, lay layout) content {
	lay.header = diag.FromHCL(b.DefRange())
	c, diags := l.scope.decode(b.Body, lay)
	l.diags.Add(diags...)
	return c
}
