package config

import (
	"fmt"
	"slices"

	"github.com/agext/levenshtein"
)

// didYouMean is the hint for an unknown name: the known one that is nearest, if
// any is near, and then the rest of the hint.
func didYouMean(given string, known []string, rest string) string {
	best, distance := "", min(3, len(given))
	for _, k := range slices.Sorted(slices.Values(known)) {
		if d := levenshtein.Distance(given, k, nil); d < distance {
			best, distance = k, d
		}
	}
	switch {
	case best == "":
		return rest
	case rest == "":
		return fmt.Sprintf("did you mean %q?", best)
	}
	return fmt.Sprintf("did you mean %q? %s", best, rest)
}
