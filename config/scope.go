package config

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/gsyncd/gsyncd-host/config/diag"
)

// scope is what expressions are evaluated in. It does not change once the
// variables have their values.
type scope struct {
	sources diag.Sources
	context *hcl.EvalContext
	// vars are the variables' values, unknown for one whose declaration is
	// wrong; nil while they are not known yet.
	vars map[string]cty.Value
}

// value evaluates an expression. With errors the value is unknown, and so it
// is, without a further error, where a faulty variable is used.
func (s *scope) value(expr hclsyntax.Expression) (cty.Value, diag.List) {
	if diags := s.references(expr); len(diags) > 0 {
		return cty.DynamicVal, diags
	}
	v, hd := expr.Value(s.context)
	var diags diag.List
	for _, d := range hd {
		diags.Add(evaluation(d))
	}
	if diags.HasErrors() || !v.IsWhollyKnown() {
		return cty.DynamicVal, diags
	}
	return v, diags
}

// references checks the names that an expression uses.
func (s *scope) references(expr hclsyntax.Expression) (diags diag.List) {
	for _, tr := range expr.Variables() {
		root, isRoot := tr[0].(hcl.TraverseRoot)
		switch {
		case isRoot && root.Name == "var" && s.vars == nil:
			diags.Add(diag.Diagnostic{
				Summary: "a variable cannot be used here",
				Detail:  "the default of a variable may call functions, but not use other variables",
				Subject: diag.FromHCL(tr.SourceRange()),
			})
		case !isRoot || root.Name != "var" || len(tr) < 2:
			diags.Add(diag.Diagnostic{
				Summary: fmt.Sprintf("unknown name %q", tr.RootName()),
				Detail:  "write var.NAME for a variable, and text in quotes",
				Subject: diag.FromHCL(tr.SourceRange()),
			})
		default:
			diags = append(diags, s.variable(tr)...)
		}
	}
	return diags
}

// variable checks var.NAME.
func (s *scope) variable(tr hcl.Traversal) diag.List {
	attr, ok := tr[1].(hcl.TraverseAttr)
	if !ok {
		return nil // var["name"]: evaluation finds what is wrong
	}
	if _, declared := s.vars[attr.Name]; declared {
		return nil
	}
	return diag.List{{
		Summary: fmt.Sprintf("unknown variable %q", attr.Name),
		Detail:  didYouMean(attr.Name, slices.Collect(maps.Keys(s.vars)), fmt.Sprintf("declare it: variable %q {}", attr.Name)),
		Subject: diag.FromHCL(tr.SourceRange()),
	}}
}

// evaluation converts what evaluating complained about.
func evaluation(d *hcl.Diagnostic) diag.Diagnostic {
	out := diag.FromHCLDiagnostic(d)
	if call, ok := hcl.DiagnosticExtra[hclsyntax.FunctionCallDiagExtra](d); ok {
		var unset *unsetError
		if errors.As(call.FunctionCallError(), &unset) {
			out.Summary = unset.Error()
			out.Detail = fmt.Sprintf("set it for the program, such as %s=…, or use a variable with a default", unset.name)
		}
	}
	return out
}

// within is the range of the bytes start to end of an expression's value. It
// is narrower than the expression only if that is a plain literal.
func (s *scope) within(expr hclsyntax.Expression, value string, start, end int) diag.Range {
	whole := diag.FromHCL(expr.Range())
	src := s.sources[whole.File]
	from, to := whole.Start.Byte, whole.End.Byte
	if from < 0 || to > len(src) || from > to || string(src[from:to]) != `"`+value+`"` {
		return whole
	}
	for i := range len(value) {
		if value[i] >= 0x80 {
			return whole // bytes and columns would differ
		}
	}
	at := func(i int) diag.Pos {
		p := whole.Start
		p.Column += 1 + i
		p.Byte += 1 + i
		return p
	}
	return diag.Range{File: whole.File, Start: at(start), End: at(end)}
}
