package config

import (
	"fmt"
	"strings"

	"github.com/gsyncd/gsyncd-host/config/diag"
)

// Config is all that was declared. It is to be used only if loading gave no
// error, but for Sources, which is always there to render diagnostics with.
type Config struct {
	Host    Host
	Plugins []*Plugin
	Mirrors []*Mirror // in the order of their declaration
	Sources diag.Sources
}

// Select returns the mirrors of the given names, or all without names.
func (c *Config) Select(names []string) ([]*Mirror, diag.List) {
	if len(names) == 0 {
		return c.Mirrors, nil
	}
	var out []*Mirror
	var diags diag.List
	byName := map[string]*Mirror{}
	var known []string
	for _, m := range c.Mirrors {
		byName[m.Name] = m
		known = append(known, m.Name)
	}
	taken := map[string]bool{}
	for _, name := range names {
		m := byName[name]
		switch {
		case m == nil:
			diags.Add(diag.Diagnostic{
				Summary: fmt.Sprintf("no mirror is called %q", name),
				Detail:  didYouMean(name, known, "declared are: "+strings.Join(known, ", ")),
			})
		case !taken[name]:
			taken[name] = true
			out = append(out, m)
		}
	}
	return out, diags
}
