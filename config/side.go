package config

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gsyncd/gsyncd-host/config/diag"
	"github.com/gsyncd/gsyncd-host/config/resurl"
)

// Side is one side of a mirror.
type Side struct {
	URL   resurl.URL
	Raw   string     // as written, after evaluation
	Range diag.Range // of the value
}

// sides reads both sides of a mirror from its arguments.
func (l *loader) sides(m *Mirror, c content) {
	for _, s := range []struct {
		name string
		side *Side
	}{{"primary", &m.Primary}, {"secondary", &m.Secondary}} {
		*s.side = Side{Range: m.Range}
		expr := c.exprs[s.name]
		if expr == nil {
			continue
		}
		s.side.Raw = c.values.String(s.name)
		s.side.Range = diag.FromHCL(expr.Range())
		l.side(s.name, s.side, func(start, end int) diag.Range {
			return l.scope.within(expr, s.side.Raw, start, end)
		})
	}
	l.relation(m)
}

// side parses the URL of a side. within gives the place of a part of Raw.
func (l *loader) side(name string, s *Side, within func(start, end int) diag.Range) {
	u, err := resurl.Parse(s.Raw)
	var pe *resurl.ParseError
	switch {
	case errors.As(err, &pe):
		l.fail(within(pe.Start, pe.End), pe.Hint, "%s: %s", name, pe.Summary)
		return
	case err != nil:
		l.fail(s.Range, "", "%s: %v", name, err)
		return
	}
	s.URL = u
	schemes := l.schemes()
	if slices.Contains(schemes, u.Scheme()) {
		return
	}
	at, hint := s.Range, didYouMean(u.Scheme(), schemes, knownNames("schemes", schemes))
	if strings.HasPrefix(s.Raw, u.Scheme()+"://") {
		at = within(0, len(u.Scheme()))
	} else {
		hint = fmt.Sprintf("%q is short for %s; %s", s.Raw, u, knownNames("schemes", schemes))
	}
	if l.opts.Installed != nil {
		if file := l.opts.Installed(u.Scheme()); file != "" {
			hint = fmt.Sprintf("%s is a driver for it: declare it with plugin \"driver\" %q { … }", file, u.Scheme())
		}
	}
	l.fail(at, hint, "%s: unknown scheme %q", name, u.Scheme())
}

// relation refuses sides that share files.
func (l *loader) relation(m *Mirror) {
	a, b := m.Primary, m.Secondary
	if a.URL.IsZero() || b.URL.IsZero() {
		return
	}
	d := diag.Diagnostic{
		Subject: b.Range,
		Related: []diag.Related{{Message: "the primary is here", Range: a.Range}},
	}
	relation := resurl.Apart
	for _, way := range l.ways() {
		if relation = resurl.Overlap(a.URL, b.URL, way.eval); relation != resurl.Apart {
			d.Detail = way.text
			break
		}
	}
	switch relation {
	case resurl.Apart:
		return
	case resurl.Equal:
		d.Summary = "primary and secondary are the same"
	case resurl.AInsideB:
		d.Summary = "the primary lies inside the secondary"
	case resurl.BInsideA:
		d.Summary = "the secondary lies inside the primary"
	}
	l.diags.Add(d)
}

// way is one to see that two paths lead to the same files.
type way struct {
	eval func(string) (string, error)
	text string // what it takes to see it
}

// ways are in the order in which they are worth telling.
func (l *loader) ways() []way {
	ways := []way{{}}
	if l.opts.EvalSymlinks != nil {
		ways = append(ways, way{l.opts.EvalSymlinks, "it is so once symbolic links are followed"})
	}
	if l.opts.Origin != nil {
		ways = append(ways, way{l.opts.Origin, "it is so since their filesystem is mounted in more than one place"})
	}
	return ways
}

// sharedSecondaries refuses two mirrors that would write into one tree, where
// each would remove what the other brought.
func (l *loader) sharedSecondaries() {
	told := map[*Mirror]bool{}
	for _, way := range l.ways() {
		found := l.shared(way, told)
		for _, m := range found {
			told[m] = true
		}
	}
}

// shared gives the mirrors whose secondaries are, or lie in, those of others, and that
// nothing was told of before.
func (l *loader) shared(way way, told map[*Mirror]bool) (found []*Mirror) {
	refuse := func(m, other *Mirror, how string) {
		if !told[m] {
			l.collision(m, other, how, way)
			found = append(found, m)
		}
	}
	owners := map[string]*Mirror{}
	for _, m := range l.cfg.Mirrors {
		url := m.Secondary.URL
		if url.IsZero() {
			continue
		}
		if other := owners[treeKey(url, way)]; other != nil {
			refuse(m, other, "is")
			continue
		}
		owners[treeKey(url, way)] = m
	}
	for _, m := range l.cfg.Mirrors {
		if m.Secondary.URL.Scheme() != resurl.File {
			continue
		}
		for path := resurl.RealPath(m.Secondary.URL.Path(), way.eval); path != "/"; {
			path = filepath.Dir(path)
			if other := owners[resurl.File+":"+path]; other != nil && other != m {
				refuse(m, other, "lies inside")
				break
			}
		}
	}
	return found
}

// treeKey names a tree; of a directory of this machine with its path, resolved in a way.
func treeKey(u resurl.URL, way way) string {
	if u.Scheme() == resurl.File {
		return resurl.File + ":" + resurl.RealPath(u.Path(), way.eval)
	}
	return u.Long()
}

func (l *loader) collision(m, other *Mirror, how string, way way) {
	detail := "each would remove what the other brings: give every mirror a secondary of its own"
	if way.text != "" {
		detail = way.text + "; " + detail
	}
	l.diags.Add(diag.Diagnostic{
		Summary: fmt.Sprintf("the secondary of %s %s that of %s", m.what(), how, other.what()),
		Detail:  detail,
		Subject: m.Secondary.Range,
		Related: []diag.Related{{Message: "the other one is here", Range: other.Secondary.Range}},
	})
}
