package wasmrun

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// A source is open in no more instances than it may be, which is one if it says so:
// however many calls there are, and also after all of them failed.
func TestInstances(t *testing.T) {
	d := runFor(t, "clumsy", &logs{}, time.Minute)
	for address, most := range map[string]int{"alone": 1, "a": 2} {
		t.Run(address, func(t *testing.T) {
			src, err := d.OpenSource(t.Context(), sdk.OpenRequest{Address: sdk.Address{Scheme: "clumsy", Rest: address}})
			if err != nil {
				t.Fatal(err)
			}
			defer src.Close()
			p := &src.(*source).pool
			p.most = min(p.most, 2)
			for range 3 {
				var calls sync.WaitGroup
				for range 16 {
					calls.Go(func() {
						if _, err := src.Stat(t.Context(), []sdk.Path{"a"}, 0); err != nil {
							t.Error(err)
						}
					})
				}
				calls.Wait()
				p.mu.Lock()
				places := slices.Clone(p.places)
				p.mu.Unlock()
				for _, at := range places {
					at.in.close()
				}
				if n := len(places); n < 1 || n > most {
					t.Errorf("%d instances, want %d at most", n, most)
				}
			}
		})
	}
}
