package wasmrun

import (
	"sync"
	"testing"
	"time"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// A source that says so is open in one instance, however many calls there are, and
// also after that one failed.
func TestOneInstance(t *testing.T) {
	d := runFor(t, "clumsy", &logs{}, time.Minute)
	src, err := d.OpenSource(t.Context(), sdk.OpenRequest{Address: sdk.Address{Scheme: "clumsy", Rest: "alone"}})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	p := &src.(*source).pool
	for range 2 {
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
		n := len(p.places)
		for _, at := range p.places {
			at.in.close()
		}
		p.mu.Unlock()
		if n != 1 {
			t.Errorf("%d instances", n)
		}
	}
}
