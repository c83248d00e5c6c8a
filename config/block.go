package config

import (
	"fmt"

	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/gsyncd/gsyncd-host/config/diag"
	"github.com/gsyncd/gsyncd-host/sdk/schema"
)

// Block is a driver or transfer block, whose body is for a plugin. One that
// nobody wrote has an empty body.
type Block struct {
	Kind  PluginKind
	Label string
	Range diag.Range // of the header; of what stands for it if nobody wrote one

	body  *hclsyntax.Body // nil if nobody wrote one
	scope *scope
}

// Decode reads the body by the plugin's schema. With errors among the
// diagnostics the values are not to be used.
func (b *Block) Decode(s schema.Schema) (schema.Values, diag.List) {
	body, sc := b.body, b.scope
	if body == nil {
		body, sc = &hclsyntax.Body{}, &scope{}
	}
	c, diags := sc.decode(body, layout{what: b.what(), header: b.Range, attrs: s})
	return c.values, diags.Sort()
}

// Diagnose puts a plugin's complaint about its configuration where it belongs:
// on the attribute, or on the block if the attribute is not there.
func (b *Block) Diagnose(d schema.Diagnostic) diag.Diagnostic {
	r := b.Range
	if b.body != nil {
		if attr := b.body.Attributes[d.Attribute]; attr != nil {
			r = diag.FromHCL(attr.Expr.Range())
		}
	}
	return diagnostic(d, r)
}

func (b *Block) what() string { return fmt.Sprintf("%s %q", b.Kind, b.Label) }

func diagnostic(d schema.Diagnostic, r diag.Range) diag.Diagnostic {
	out := diag.Diagnostic{Summary: d.Summary, Detail: d.Detail, Subject: r}
	if d.Warning {
		out.Severity = diag.Warning
	}
	return out
}
