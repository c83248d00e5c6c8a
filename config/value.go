package config

import (
	"fmt"
	"math/big"
	"slices"
	"strings"

	"github.com/zclconf/go-cty/cty"

	"github.com/gsyncd/gsyncd-host/sdk/schema"
)

// The hints of the four units.
const (
	durationHint = "write a number and a unit: 300ms, 5s, 5m, 1h30m or 2d"
	sizeHint     = "write a number and a unit: B, KiB, MiB, GiB, TiB (powers of 1024) or kB, MB, GB, TB (powers of 1000)"
	rateHint     = "write a size per second, such as 20MiB/s"
	shareHint    = "write a percentage from 0% to 100%, such as 2%"
)

// problem is what is wrong with a value; the place is the caller's to add.
type problem struct{ summary, hint string }

// goValue makes of a known value that is not null the Go value that the
// attribute's type asks for.
func goValue(a *schema.Attribute, v cty.Value) (any, *problem) {
	switch a.Type {
	case schema.Bool:
		if v.Type() == cty.Bool {
			return v.True(), nil
		}
	case schema.Count:
		if v.Type() == cty.Number {
			return count(a, v.AsBigFloat())
		}
	case schema.Strings:
		return stringList(a, v)
	default:
		if v.Type() == cty.String {
			return text(a, v.AsString())
		}
	}
	return nil, wrongType(a, v)
}

func count(a *schema.Attribute, f *big.Float) (any, *problem) {
	n, acc := f.Int64()
	if acc != big.Exact || n < 0 {
		return nil, &problem{fmt.Sprintf("%s must be a whole number that is not negative", a.Name), "write a count such as 4"}
	}
	return n, nil
}

func stringList(a *schema.Attribute, v cty.Value) (any, *problem) {
	if t := v.Type(); !t.IsTupleType() && !t.IsListType() && !t.IsSetType() {
		return nil, wrongType(a, v)
	}
	list := []string{}
	for it := v.ElementIterator(); it.Next(); {
		_, e := it.Element()
		if e.IsNull() || e.Type() != cty.String {
			return nil, &problem{fmt.Sprintf("%s must be a list of strings", a.Name), example(a)}
		}
		list = append(list, e.AsString())
	}
	return list, nil
}

// text reads the types that are written as strings.
func text(a *schema.Attribute, s string) (v any, p *problem) {
	var err error
	var hint string
	switch a.Type {
	case schema.String:
		if len(a.OneOf) > 0 && !slices.Contains(a.OneOf, s) {
			return nil, &problem{fmt.Sprintf("%s cannot be %q", a.Name, s), didYouMean(s, a.OneOf, "possible are: "+strings.Join(a.OneOf, ", "))}
		}
		return s, nil
	case schema.Duration:
		v, err = schema.ParseDuration(s)
		hint = durationHint
	case schema.Size:
		v, err = schema.ParseSize(s)
		hint = sizeHint
	case schema.Rate:
		v, err = schema.ParseRate(s)
		hint = rateHint
	case schema.Share:
		v, err = schema.ParseShare(s)
		hint = shareHint
	default:
		return nil, &problem{fmt.Sprintf("%s is of a type that this version does not know", a.Name), "the plugin may need a newer host"}
	}
	if err != nil {
		return nil, &problem{a.Name + ": " + err.Error(), hint}
	}
	return v, nil
}

func wrongType(a *schema.Attribute, v cty.Value) *problem {
	return &problem{fmt.Sprintf("%s must be %s, not %s", a.Name, a.Type, kind(v.Type())), example(a)}
}

// kind says what a value is, for people.
func kind(t cty.Type) string {
	switch {
	case t == cty.String:
		return "a string"
	case t == cty.Number:
		return "a number"
	case t == cty.Bool:
		return "true or false"
	case t.IsTupleType() || t.IsListType() || t.IsSetType():
		return "a list"
	}
	return "an object"
}

// example is a hint that shows how the attribute is written.
func example(a *schema.Attribute) string {
	value := `"…"`
	switch a.Type {
	case schema.String:
		if len(a.OneOf) > 0 {
			value = `"` + a.OneOf[0] + `"`
		}
	case schema.Bool:
		value = "true"
	case schema.Count:
		value = "4"
	case schema.Duration:
		value = `"5m"`
	case schema.Size:
		value = `"64MiB"`
	case schema.Rate:
		value = `"20MiB/s"`
	case schema.Share:
		value = `"2%"`
	case schema.Strings:
		value = `["…"]`
	}
	hint := fmt.Sprintf("write %s = %s", a.Name, value)
	if a.Doc != "" {
		hint += ": " + a.Doc
	}
	return hint
}
