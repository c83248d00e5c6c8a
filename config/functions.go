package config

import (
	"fmt"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"
)

// functions are those that an expression may call.
func functions(env func(string) (string, bool)) map[string]function.Function {
	return map[string]function.Function{
		"concat":    stdlib.ConcatFunc,
		"env":       envFunction(env),
		"format":    stdlib.FormatFunc,
		"join":      stdlib.JoinFunc,
		"lower":     stdlib.LowerFunc,
		"trimspace": stdlib.TrimSpaceFunc,
		"upper":     stdlib.UpperFunc,
	}
}

// unsetError is a call of env for what is not set. It has a type so that its
// diagnostic need not speak of function calls.
type unsetError struct{ name string }

func (e *unsetError) Error() string {
	return fmt.Sprintf("the environment variable %q is not set", e.name)
}

var _ error = (*unsetError)(nil)

func envFunction(env func(string) (string, bool)) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "name", Type: cty.String}},
		Type:   function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			name := args[0].AsString()
			if env != nil {
				if v, ok := env(name); ok {
					return cty.StringVal(v), nil
				}
			}
			return cty.NilVal, &unsetError{name}
		},
	})
}
