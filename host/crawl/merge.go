package crawl

import (
	"iter"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// Listing gives the entries of one directory sorted by name, then nil for good.
// An entry stays valid after the next call.
type Listing func() *sdk.Entry

// Merge walks two listings of one directory and yields the action for every
// name that has one.
func (pol *Policy) Merge(dir sdk.Path, v Visit, primary, secondary Listing) iter.Seq[Action] {
	return func(yield func(Action) bool) {
		p, s := primary(), secondary()
		for p != nil || s != nil {
			var a Action
			switch {
			case s == nil || (p != nil && p.Name < s.Name):
				a = pol.Decide(dir, v, p, nil)
				p = primary()
			case p == nil || s.Name < p.Name:
				a = pol.Decide(dir, v, nil, s)
				s = secondary()
			default:
				a = pol.Decide(dir, v, p, s)
				p, s = primary(), secondary()
			}
			if a.Kind != Nothing && !yield(a) {
				return
			}
		}
	}
}
