package cli

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gsyncd/gsyncd-host/sdk/schema"
)

// TestAsker completes settings of which two lack a value.
func TestAsker(t *testing.T) {
	errGone := errors.New("gone")
	right := map[string]string{"a": "1", "b": "2"}
	for _, c := range []struct {
		name    string
		given   schema.Values
		typed   []string
		later   bool
		prompts []string
		left    []string // attributes still complained of
		warning bool
	}{
		{name: "all known", given: schema.Values{"a": "1", "b": "2"}},
		{name: "asked for", typed: []string{"1", "x", "2"}, prompts: []string{"A\\n: ", "B: ", "B: "}},
		{name: "wrong in the configuration", given: schema.Values{"a": "x", "b": "2"}, left: []string{"a"}},
		{name: "not known", typed: []string{"x", "y", "z", "1"}, prompts: []string{"A\\n: ", "A\\n: ", "A\\n: "}, left: []string{"a", "b"}},
		{name: "gone", prompts: []string{"A\\n: "}, left: []string{"a", "b"}},
		{name: "later", later: true, left: []string{"a", "b"}, warning: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			var prompts []string
			typed := c.typed
			a := &asker{later: c.later, answers: map[string]string{}}
			a.ask = func(_ context.Context, prompt string) (string, error) {
				prompts = append(prompts, prompt)
				if len(typed) == 0 {
					return "", errGone
				}
				answer := typed[0]
				typed = typed[1:]
				return answer, nil
			}
			pass := func() []string {
				values := schema.Values{}
				for name, v := range c.given {
					values[name] = v
				}
				var left []string
				for _, d := range a.complete(t.Context(), values, func() (out []schema.Diagnostic) {
					for _, ask := range [][2]string{{"a", "A\n"}, {"b", "B"}} {
						if values.String(ask[0]) != right[ask[0]] {
							out = append(out, schema.Diagnostic{Attribute: ask[0], Summary: "needed", Ask: ask[1]})
						}
					}
					return out
				}) {
					left = append(left, d.Attribute)
					if d.Warning != c.warning {
						t.Errorf("%s: warning %t", d.Attribute, d.Warning)
					}
				}
				return left
			}
			if diff := cmp.Diff(c.left, pass()); diff != "" {
				t.Error(diff)
			}
			// The second mirror needs the same, and nobody is asked again.
			if diff := cmp.Diff(c.left, pass()); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(c.prompts, prompts); diff != "" {
				t.Error(diff)
			}
		})
	}
}
