package mirror_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/gsyncd/gsyncd-host/host/mirror"
	"github.com/gsyncd/gsyncd-host/sdk"
)

// TestPromise5KillAnything: the same change is brought over again and again,
// each time killed some calls later, until it goes through. Whenever it ends, the
// next run gets the trees equal and leaves nothing behind. TestModel does the
// same at random.
func TestPromise5KillAnything(t *testing.T) {
	t.Run("changes", func(t *testing.T) { killEverywhere(t, false) })
	t.Run("full", func(t *testing.T) { killEverywhere(t, true) })
}

func killEverywhere(t *testing.T, full bool) {
	r := newRigAt(t, memoryDir(t))
	r.log = quietLog()
	r.sh(`mkdir -p a/b c q/r; for i in 1 2 3; do echo $i >a/$i; echo $i >a/b/$i; echo $i >c/$i; echo $i >q/r/$i; done
		ln a/1 c/link; ln q/r/1 q/link; echo k >k; setfacl -d -m u:1:rwx . || true`)
	r.sync()
	for n := 1; ; n += 2 {
		// The change undoes itself the second time, and so on. What drifts on the
		// secondary lies where only a full comparison looks.
		r.sh(fmt.Sprintf(`if test -d a; then mv a z; else mv z a; fi; d=a; test -d a || d=z
			echo %d >$d/1; rm -rf $d/b/2 c*; mkdir c%d; setfacl -b c%d || true; echo %d >c%d/new; ln $d/1 c%d/link; echo 2 >$d/b/new; ln -sf %d sym
			printf '%%04d' %d >same; touch -d 2001-01-01 same`, n, n, n, n, n, n, n, n))
		if full {
			r.sh(`rm -f $S/q/r/2; echo drift >$S/q/r/1.x; mv $S/q/r/1.x $S/q/r/1; echo 1 >$S/q/r/stray`)
		}
		r.age()
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		f := &faults{killAt: n, kill: cancel, rng: rand.New(rand.NewPCG(uint64(n), 3))}
		src, dst := f.source(), f.target()
		r.wrapSource = func(s sdk.Source) sdk.Source { return hookSource{s, src} }
		r.wrapTarget = func(s sdk.Target) sdk.Target { return hookTarget{s, dst} }
		r.streamed = n%4 == 1
		err := r.runContext(ctx, mirror.Options{Once: true, Full: full})
		cancel()
		r.wrapSource, r.wrapTarget = nil, nil
		if full {
			// The next run finishes what the comparison began with, and need not
			// come to what it did not.
			r.sync()
			p, s := surveyOf(t, r.primary), surveyOf(t, r.secondary)
			d := differences(p, s)
			delete(d, "q/r")   // its time shows the drift
			delete(d, "q/r/1") // joined again from q, where its first name is
			if len(d) != 0 && len(d) != 2 || len(s.own) > 0 {
				t.Errorf("killed with call %d: half repaired: %v, left behind: %q", n, d, s.own)
			}
			if rerr := r.run(mirror.Options{Once: true, Full: true}); rerr != nil {
				t.Fatal(rerr)
			}
		}
		r.sync()
		p, s := surveyOf(t, r.primary), surveyOf(t, r.secondary)
		for path, what := range differences(p, s) {
			t.Errorf("killed with call %d: %q differs: %s", n, path, what)
		}
		if links := wrongLinks(p, s); len(links) > 0 {
			t.Errorf("killed with call %d: links differ: %q", n, links)
		}
		if len(s.own) > 0 {
			t.Errorf("killed with call %d: left behind: %q", n, s.own)
		}
		if err == nil || t.Failed() {
			return
		}
	}
}
