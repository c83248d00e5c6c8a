package config

import (
	"fmt"
	"regexp"
	"slices"
	"time"

	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/gsyncd/gsyncd-host/config/diag"
	"github.com/gsyncd/gsyncd-host/sdk/schema"
)

var mirrorSchema = schema.Schema{
	{Name: "primary", Type: schema.String, Required: true, Doc: "the tree that is mirrored, a path or URL"},
	{Name: "secondary", Type: schema.String, Required: true, Doc: "the tree that becomes its mirror, a path or URL"},
	{Name: "deletes", Type: schema.String, OneOf: []string{"mirror", "keep"}, Default: "mirror"},
}

var scheduleSchema = schema.Schema{
	{Name: "interval", Type: schema.Duration, Doc: "the shortest pause between two looks; a second unless events tell when to look"},
	{Name: "idle_share", Type: schema.Share, Default: 0.02, Doc: "share of one core spent on looking while nothing changes"},
	{Name: "sweep", Type: schema.Duration, Default: 24 * time.Hour, Doc: "how often, at least, all is looked at although the primary's events or own xtimes tell where to look; 0s is never"},
	{Name: "detector", Type: schema.String, OneOf: []string{"auto", "btrfs", "fanotify", "inotify", "scan"}, Default: "auto", Doc: "by what changes are noticed; auto is the first of these that works"},
}

var limitsSchema = schema.Schema{
	{Name: "rate", Type: schema.Rate, Doc: "the most that is sent"},
	{Name: "max_deletes", Type: schema.Count, Doc: "the most entries that one crawl deletes"},
}

var retrySchema = schema.Schema{
	{Name: "min", Type: schema.Duration, Default: time.Second, Doc: "the pause after the first failure"},
	{Name: "max", Type: schema.Duration, Default: 5 * time.Minute, Doc: "the longest pause"},
	{Name: "attempts", Type: schema.Count, Default: int64(0), Doc: "how often before giving up; 0 is for ever"},
}

// A mirror's name stands on command lines beside URLs, and in the names of files.
var mirrorRX = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$`)

// mirror decodes a mirror block.
func (l *loader) mirror(b *hclsyntax.Block) {
	if !l.labels(b, "name") {
		return
	}
	m := newMirror(b.Labels[0], diag.FromHCL(b.DefRange()))
	if !mirrorRX.MatchString(m.Name) {
		l.fail(diag.FromHCL(b.LabelRanges[0]), "a name is made of at most 64 letters, digits, '_', '-' and '.', a letter or digit first", "%q cannot be the name of a mirror", m.Name)
	}
	// A second mirror of the name is still looked through for other errors.
	scope := m.what()
	if !l.once(scope, scope, m.Range) {
		scope = fmt.Sprintf("%s at %d", scope, b.DefRange().Start.Byte)
	}
	c := l.decode(b, layout{what: m.what(), attrs: mirrorSchema, blocks: []string{"driver", "transfer", "schedule", "limits", "retry"}})
	m.KeepDeleted = c.values.String("deletes") == "keep"
	l.sides(m, c)
	for _, inner := range c.blocks {
		l.part(m, inner, scope)
	}
	l.cfg.Mirrors = append(l.cfg.Mirrors, m)
}

// part decodes a block inside a mirror.
func (l *loader) part(m *Mirror, b *hclsyntax.Block, scope string) {
	switch b.Type {
	case "driver":
		l.driver(m, b, scope)
		return
	case "transfer":
		l.transfer(m, b, scope)
		return
	}
	what := b.Type + " of " + m.what()
	if !l.labels(b) || !l.once(scope+" "+b.Type, "the "+what, diag.FromHCL(b.DefRange())) {
		return
	}
	switch b.Type {
	case "schedule":
		c := l.decode(b, layout{what: what, attrs: scheduleSchema})
		l.positive(c, "interval", "idle_share")
		m.setSchedule(c.values)
	case "limits":
		c := l.decode(b, layout{what: what, attrs: limitsSchema})
		l.positive(c, "rate", "max_deletes")
		m.setLimits(c.values)
	case "retry":
		c := l.decode(b, layout{what: what, attrs: retrySchema})
		l.positive(c, "min", "max")
		m.setRetry(c.values)
		if m.Retry.Min > m.Retry.Max {
			at := diag.FromHCL(b.DefRange())
			for _, name := range []string{"max", "min"} {
				if expr := c.exprs[name]; expr != nil {
					at = diag.FromHCL(expr.Range())
				}
			}
			l.fail(at, "", "retry: min (%s) is longer than max (%s)", m.Retry.Min, m.Retry.Max)
		}
	}
}

// positive complains about settings that are written and zero.
func (l *loader) positive(c content, names ...string) {
	for _, name := range names {
		expr := c.exprs[name]
		if expr == nil {
			continue
		}
		v := c.values
		if v.Int(name) == 0 && v.Duration(name) == 0 && v.Share(name) == 0 {
			l.fail(diag.FromHCL(expr.Range()), "leave it out for the default", "%s must be more than zero", name)
		}
	}
}

// driver notes a driver block, whose body is the plugin's.
func (l *loader) driver(m *Mirror, b *hclsyntax.Block, scope string) {
	if !l.labels(b, "scheme") {
		return
	}
	name, header := b.Labels[0], diag.FromHCL(b.DefRange())
	if !l.once(scope+" driver "+name, fmt.Sprintf("driver %q of %s", name, m.what()), header) {
		return
	}
	schemes := l.schemes()
	switch {
	case !slices.Contains(schemes, name):
		l.fail(diag.FromHCL(b.LabelRanges[0]), didYouMean(name, schemes, knownNames("schemes", schemes)), "unknown scheme %q", name)
	case !m.Primary.URL.IsZero() && !m.Secondary.URL.IsZero() && m.Primary.URL.Scheme() != name && m.Secondary.URL.Scheme() != name:
		l.diags.Add(diag.Diagnostic{
			Severity: diag.Warning,
			Summary:  fmt.Sprintf("no side of %s has the scheme %q", m.what(), name),
			Detail:   "the block has no effect",
			Subject:  header,
		})
	}
	m.Drivers = append(m.Drivers, &Block{Kind: DriverPlugin, Label: name, Range: header, body: b.Body, scope: l.scope})
}

// schemes lists the schemes that have a driver.
func (l *loader) schemes() []string {
	return slices.Concat(l.opts.Schemes, l.declared(DriverPlugin))
}
