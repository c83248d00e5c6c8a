package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/gsyncd/gsyncd-host/config/diag"
	"github.com/gsyncd/gsyncd-host/sdk/schema"
)

// layout is what a body may hold.
type layout struct {
	what   string     // the block, for messages: mirror "a"
	header diag.Range // of the block
	attrs  schema.Schema
	blocks []string // types of the blocks in it
}

// content is what a body holds. values has defaults filled in.
type content struct {
	values schema.Values
	exprs  map[string]hclsyntax.Expression // of the arguments that are there and right
	blocks []*hclsyntax.Block
}

// place is where an argument's value is, or else other.
func (c *content) place(name string, other diag.Range) diag.Range {
	if expr := c.exprs[name]; expr != nil {
		return diag.FromHCL(expr.Range())
	}
	return other
}

// decode reads a body. A wrong value counts as absent, but is not reported as
// missing.
func (s *scope) decode(body *hclsyntax.Body, l layout) (content, diag.List) {
	out := content{values: schema.Values{}, exprs: map[string]hclsyntax.Expression{}}
	var diags diag.List
	faulty := map[string]bool{}
	for name, attr := range body.Attributes {
		a := l.attrs.Attribute(name)
		if a == nil {
			continue
		}
		v, ds := s.value(attr.Expr)
		for i := range ds {
			ds[i].Secret = a.Secret
		}
		diags = append(diags, ds...)
		switch {
		case !v.IsKnown():
			faulty[name] = true
			continue
		case v.IsNull():
			continue
		}
		value, p := goValue(a, v)
		if p != nil {
			faulty[name] = true
			diags.Add(diag.Diagnostic{Summary: p.summary, Detail: p.hint, Subject: diag.FromHCL(attr.Expr.Range()), Secret: a.Secret})
			continue
		}
		out.values[name] = value
		out.exprs[name] = attr.Expr
	}
	for i := range l.attrs {
		a := &l.attrs[i]
		if _, ok := out.values[a.Name]; ok || faulty[a.Name] {
			continue
		}
		switch {
		case a.Required:
			diags.Add(diag.Diagnostic{Summary: fmt.Sprintf("%s has no %s", l.what, a.Name), Detail: example(a), Subject: l.header})
		case a.Default != nil:
			out.values[a.Name] = a.Default
		}
	}
	var names []string
	for _, a := range l.attrs {
		names = append(names, a.Name)
	}
	for _, b := range body.Blocks {
		if slices.Contains(l.blocks, b.Type) {
			out.blocks = append(out.blocks, b)
		}
	}
	return out, append(diags, strangers(body, l.what, names, l.blocks)...)
}

// strangers complains about the arguments and blocks of a body that are not
// among the known ones.
func strangers(body *hclsyntax.Body, what string, attrs, blocks []string) (diags diag.List) {
	place := ""
	if what != "" {
		place = " in " + what
	}
	for name, attr := range body.Attributes {
		if slices.Contains(attrs, name) {
			continue
		}
		hint := didYouMean(name, attrs, known("arguments", attrs))
		if slices.Contains(blocks, name) {
			hint = fmt.Sprintf("it is a block: write %s { … }, without =", name)
		} else if len(attrs) == 0 {
			hint = didYouMean(name, blocks, known("blocks", blocks))
		}
		diags.Add(diag.Diagnostic{Summary: fmt.Sprintf("unknown argument %q%s", name, place), Detail: hint, Subject: diag.FromHCL(attr.NameRange)})
	}
	for _, b := range body.Blocks {
		if slices.Contains(blocks, b.Type) {
			continue
		}
		hint := didYouMean(b.Type, blocks, known("blocks", blocks))
		if slices.Contains(attrs, b.Type) {
			hint = fmt.Sprintf("it is an argument: write %s = …", b.Type)
		}
		diags.Add(diag.Diagnostic{Summary: fmt.Sprintf("unknown block %q%s", b.Type, place), Detail: hint, Subject: diag.FromHCL(b.TypeRange)})
	}
	return diags
}

func known(what string, names []string) string {
	if len(names) == 0 {
		return "there are no " + what + " here"
	}
	return what + " here: " + strings.Join(slices.Sorted(slices.Values(names)), ", ")
}
