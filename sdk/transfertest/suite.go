package transfertest

import (
	"testing"
	"time"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/schema"
)

// Config says what to test.
type Config struct {
	// New makes the method in this process.
	New func(t *testing.T) sdk.Transfer
	// Launch starts it as a process of its own, to be ended when the test ends;
	// nil leaves that part out.
	Launch func(t *testing.T) sdk.Transfer
	// Values is the method's configuration; defaults are filled in.
	Values schema.Values
}

// patience is how long a run may take that is to end by itself: far more than
// any needs, and less than go test waits.
const patience = time.Minute

// Run runs the suite: as a part "direct", and with Launch as a part "process".
func Run(t *testing.T, cfg Config) {
	t.Helper()
	parts := []struct {
		name string
		open func(t *testing.T) sdk.Transfer
	}{{"direct", cfg.New}, {"process", cfg.Launch}}
	for _, p := range parts {
		if p.open == nil {
			continue
		}
		t.Run(p.name, func(t *testing.T) {
			s := &suite{transfer: p.open(t), values: cfg.Values}
			s.run(t)
		})
	}
}

type suite struct {
	transfer sdk.Transfer
	values   schema.Values
}

func (s *suite) run(t *testing.T) {
	for _, c := range []struct {
		name string
		f    func(*testing.T)
	}{
		{"describe", s.describe},
		{"nothing", s.nothing},
		{"many", s.many},
		{"shapes", s.shapes},
		{"names", s.names},
		{"delta", s.delta},
		{"basis absent", s.basisAbsent},
		{"vanished", s.vanished},
		{"swapped", s.swapped},
		{"parent swapped", s.parentSwapped},
		{"torn", s.torn},
		{"cancelled before", s.cancelledBefore},
		{"cancelled within", s.cancelledWithin},
		{"malformed", s.malformed},
		{"no path", s.noPath},
		{"side by side", s.sideBySide},
	} {
		t.Run(c.name, c.f)
	}
}
