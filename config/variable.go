package config

import (
	"fmt"
	"maps"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"

	"github.com/gsyncd/gsyncd-host/config/diag"
)

var variableTypes = map[string]cty.Type{"string": cty.String, "number": cty.Number, "bool": cty.Bool}

// variables is the first phase: it gives the scope its variables.
func (l *loader) variables(blocks []*hclsyntax.Block) {
	vars := map[string]cty.Value{}
	for _, b := range blocks {
		if !l.labels(b, "name") {
			continue
		}
		name := b.Labels[0]
		if !hclsyntax.ValidIdentifier(name) {
			l.fail(diag.FromHCL(b.LabelRanges[0]), "a name is made of letters, digits, '_' and '-', a letter first", "%q cannot be the name of a variable", name)
		}
		if l.once("variable "+name, fmt.Sprintf("variable %q", name), diag.FromHCL(b.DefRange())) {
			vars[name] = l.variableValue(b, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(l.opts.Vars)) {
		if _, declared := vars[name]; !declared {
			l.fail(diag.Range{File: "--var " + name}, didYouMean(name, slices.Collect(maps.Keys(vars)), ""), "no variable %q is declared", name)
		}
	}
	l.scope.vars = vars
	l.scope.context.Variables = map[string]cty.Value{"var": cty.ObjectVal(vars)}
}

// variableValue is what a variable stands for, unknown after an error.
func (l *loader) variableValue(b *hclsyntax.Block, name string) cty.Value {
	what := fmt.Sprintf("variable %q", name)
	strange := strangers(b.Body, what, []string{"type", "default", "description"}, nil)
	l.diags.Add(strange...)
	if d := b.Body.Attributes["description"]; d != nil {
		if v, ds := l.scope.value(d.Expr); len(ds) > 0 || v.Type() != cty.String {
			l.diags.Add(ds...)
			if len(ds) == 0 {
				l.fail(diag.FromHCL(d.Expr.Range()), "", "description must be a string")
			}
		}
	}
	want, ok := l.variableType(b.Body.Attributes["type"])
	given, set := l.opts.Vars[name]
	value, place := cty.NullVal(cty.String), diag.FromHCL(b.DefRange())
	if d := b.Body.Attributes["default"]; d != nil {
		var ds diag.List
		value, ds = l.scope.value(d.Expr)
		if !set { // a default that is not used may be one that cannot be
			l.diags.Add(ds...)
			ok = ok && !ds.HasErrors()
		}
		place = diag.FromHCL(d.Expr.Range())
		if want == cty.NilType && value.IsKnown() && !value.IsNull() {
			want = value.Type()
		}
	}
	if set {
		value, place = cty.StringVal(given), diag.Range{File: "--var " + name}
	}
	if want == cty.NilType {
		want = cty.String
	}
	switch {
	case !ok:
		return cty.DynamicVal
	case !want.IsPrimitiveType():
		l.fail(place, "a variable is a string, a number, or true or false", "the default of %s cannot be %s", what, kind(want))
		return cty.DynamicVal
	case value.IsNull():
		if len(strange) == 0 { // else perhaps a mistyped default
			l.fail(place, fmt.Sprintf("give it with --var %s=VALUE, or write a default", name), "%s has no value", what)
		}
		return cty.DynamicVal
	}
	out, err := convert.Convert(value, want)
	if err != nil {
		l.fail(place, "", "the value of %s must be %s", what, kind(want))
		return cty.DynamicVal
	}
	return out
}

// variableType reads the type, which is NilType if none is given.
func (l *loader) variableType(attr *hclsyntax.Attribute) (cty.Type, bool) {
	if attr == nil {
		return cty.NilType, true
	}
	t, ok := variableTypes[hcl.ExprAsKeyword(attr.Expr)]
	if !ok {
		l.fail(diag.FromHCL(attr.Expr.Range()), "write type = string, type = number or type = bool, without quotes", "this is not the type of a variable")
	}
	return t, ok
}
