package resurl

import (
	"path"
	"strings"
)

// Relation is how the trees of two URLs lie to one another.
type Relation uint8

// The relations.
const (
	Apart    Relation = iota // nothing in common, as far as the URLs tell
	Equal                    // the same tree
	AInsideB                 // the first is a directory of the second
	BInsideA                 // the second is a directory of the first
)

// Overlap compares two URLs. Directories of this machine are compared by their
// paths as eval resolves them (filepath.EvalSymlinks does so with symbolic links;
// nil compares the paths as they are); what does not exist yet counts as being
// in the nearest directory that does. Other URLs are equal or apart.
func Overlap(a, b URL, eval func(string) (string, error)) Relation {
	if a == b {
		return Equal
	}
	if a.Scheme() != File || b.Scheme() != File {
		return Apart
	}
	pa, pb := RealPath(a.name, eval), RealPath(b.name, eval)
	switch {
	case pa == pb:
		return Equal
	case below(pa, pb):
		return AInsideB
	case below(pb, pa):
		return BInsideA
	}
	return Apart
}

// RealPath resolves the longest part of p that exists, see [Overlap].
func RealPath(p string, eval func(string) (string, error)) string {
	if eval == nil {
		return p
	}
	for head, tail := p, ""; ; {
		if real, err := eval(head); err == nil {
			return path.Join(real, tail)
		}
		if head == "/" {
			return p
		}
		tail = path.Join(path.Base(head), tail)
		head = path.Dir(head)
	}
}

func below(p, dir string) bool {
	return strings.HasPrefix(p, strings.TrimSuffix(dir, "/")+"/")
}
