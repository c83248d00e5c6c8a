package cli

import (
	"context"
	"slices"

	"github.com/gsyncd/gsyncd-host/config/diag"
	"github.com/gsyncd/gsyncd-host/sdk/schema"
)

// maxTries is how often a person is asked for the same thing.
const maxTries = 3

// asker completes settings with what a person at the terminal knows. It is for
// one goroutine.
type asker struct {
	ask     func(ctx context.Context, prompt string) (string, error) // nil: nobody is there
	later   bool                                                     // somebody can be asked when the mirror runs
	answers map[string]string                                        // by what was asked for; several mirrors may need one
}

// runAsker asks for what mirrors need that are to run.
func runAsker(env *Env, f *runFlags) *asker {
	if f.json {
		return &asker{}
	}
	return &asker{ask: env.Ask, answers: map[string]string{}}
}

// complete calls check, puts what it asks for into values, and calls it again,
// until it asks for nothing more or nobody answers. It returns what the last
// check said.
func (a *asker) complete(ctx context.Context, values schema.Values, check func() []schema.Diagnostic) []schema.Diagnostic {
	tries := map[string]int{}
	for {
		diags := check()
		asks := func(d schema.Diagnostic) bool {
			return d.Ask != "" && !d.Warning && (tries[d.Attribute] > 0 || values[d.Attribute] == nil)
		}
		for i, d := range diags {
			diags[i].Warning = d.Warning || a.later && asks(d)
		}
		i := slices.IndexFunc(diags, asks)
		if i < 0 {
			return diags
		}
		attribute := diags[i].Attribute
		answer, ok := a.answer(ctx, diags[i].Ask, tries[attribute])
		if !ok {
			return diags
		}
		values[attribute] = answer
		tries[attribute]++
	}
}

// answer gives what was answered before, or asks. After that nobody answers who
// once did not, or not right.
func (a *asker) answer(ctx context.Context, what string, tries int) (string, bool) {
	if answer, ok := a.answers[what]; ok && tries == 0 {
		return answer, true
	}
	if a.ask == nil {
		return "", false
	}
	if tries < maxTries {
		answer, err := a.ask(ctx, diag.Clean(what)+": ")
		if err == nil {
			a.answers[what] = answer
			return answer, true
		}
	}
	a.ask = nil
	return "", false
}
