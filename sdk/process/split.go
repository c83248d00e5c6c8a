package process

import "github.com/gsyncd/gsyncd-host/sdk"

// maxRequest is where a list of paths, operations or files is split, in bytes.
const maxRequest = 1 << 20

// split calls f with consecutive parts of list, each of sdk.MaxBatch elements
// at most and, but for a single one, of maxRequest bytes. It stops at an error.
func split[T any](list []T, size func(*T) int, f func(first int, part []T) error) error {
	for first := 0; first < len(list); {
		end, bytes := first, 0
		for end < len(list) && end-first < sdk.MaxBatch {
			bytes += size(&list[end])
			if bytes > maxRequest && end > first {
				break
			}
			end++
		}
		if err := f(first, list[first:end]); err != nil {
			return err
		}
		first = end
	}
	return nil
}

func pathSize(p *sdk.Path) int { return len(*p) + 8 }
