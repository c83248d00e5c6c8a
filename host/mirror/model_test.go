package mirror_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gsyncd/gsyncd-host/host/marker"
	"github.com/gsyncd/gsyncd-host/host/mirror"
	"github.com/gsyncd/gsyncd-host/host/report"
	"github.com/gsyncd/gsyncd-host/sdk"
)

// modelFlags choose what TestModel does: -seed replays one history, -steps makes
// histories longer, -model.time goes on with new histories for that long,
// -model.native lets all of them be of primaries with native xtimes, -model.busy
// lets the primary change during all runs in which things go wrong, and -model.still
// lets nothing change while a run goes on, so that a replay differs only by what the
// mirror's own goroutines do.
type modelFlags struct {
	seed  *uint64
	steps *int
	time  *time.Duration
	still *bool

	native *bool
	busy   *bool
}

var model = modelFlags{
	seed:  flag.Uint64("seed", 0, "TestModel: run this history alone"),
	steps: flag.Int("steps", 12, "TestModel: rounds of a history"),
	time:  flag.Duration("model.time", 6*time.Second, "TestModel: begin new histories for this long"),
	still: flag.Bool("model.still", false, "TestModel: nothing changes during runs"),

	native: flag.Bool("model.native", false, "TestModel: primaries with native xtimes only"),
	busy:   flag.Bool("model.busy", false, "TestModel: something changes during all runs with faults"),
}

// nativeEvery is how many histories there are for one whose primary has native
// xtimes.
const nativeEvery = 3

// TestModel lets trees change at random while everything that can fail does, and
// kills the mirror at random; after that it must find its way to equal trees by
// itself. At no time may a mark claim what is not there.
func TestModel(t *testing.T) {
	if *model.seed != 0 {
		history(t, *model.seed, *model.steps)
		return
	}
	first := uint64(time.Now().UnixNano())
	if testing.Short() {
		first = 1
	}
	end := time.Now().Add(*model.time)
	for n := uint64(0); n < 2 || time.Now().Before(end); n++ {
		seed := first + n
		if *model.native {
			seed = first - first%nativeEvery + n*nativeEvery
		}
		ok := t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) { history(t, seed, *model.steps) })
		if !ok {
			return
		}
	}
}

// tape is a history as it is told when it fails.
type tape struct{ lines []string }

func (l *tape) add(format string, args ...any) {
	l.lines = append(l.lines, fmt.Sprintf(format, args...))
}

func (l *tape) take(side string, w *world) {
	for _, op := range w.log {
		l.add("%s %s", side, op)
	}
	w.log = nil
}

// history is one run of the model: everything in it follows from its seed, but
// for what goes on at the same time.
func history(t *testing.T, seed uint64, steps int) {
	rng := rand.New(rand.NewPCG(seed, seed))
	base := t.TempDir()
	if seed%4 != 0 {
		base = memoryDir(t)
	}
	h := &chronicle{t: t, rig: newRigAt(t, base), rng: rng}
	h.p, h.s = newWorld(h.primary, rng), newWorld(h.secondary, rng)
	h.retry = mirror.Retry{Min: time.Millisecond, Max: 2 * time.Millisecond, Attempts: 2}
	h.rig.log = quietLog()
	if seed%nativeEvery == 0 {
		h.volume = newVolume(h.rig)
	}
	h.p.write(keepName, []byte("x"))
	defer func() {
		if t.Failed() {
			lines := h.tape.lines
			t.Logf("replay with -run TestModel -seed=%d -steps=%d\n%s", seed, steps, strings.Join(lines[max(0, len(lines)-400):], "\n"))
		}
	}()
	for range steps {
		if h.quiet && rng.IntN(2) == 0 {
			h.s.drift(h.p) // while each directory is where the other side has it
		}
		for range 1 + rng.IntN(12) {
			h.p.step()
		}
		h.tape.take("P", h.p)
		h.tape.take("S", h.s)
		if rng.IntN(4) != 0 {
			h.faulty()
		}
		if rng.IntN(3) != 0 {
			h.settle()
			h.takeOver()
		}
	}
	h.settle()
}

// chronicle is a rig with a history.
type chronicle struct {
	*rig
	t     *testing.T
	rng   *rand.Rand
	p, s  *world
	tape  tape
	quiet bool // the last run ended in sync

	volume *volume // if the primary has native xtimes
}

// faulty is a run in which things go wrong.
func (h *chronicle) faulty() {
	f := &faults{rng: rand.New(rand.NewPCG(h.rng.Uint64(), 1))}
	switch h.rng.IntN(5) {
	case 0:
		f.killAt = 1 + h.rng.IntN(60)
	case 1:
		f.goneAt = 1 + h.rng.IntN(60)
	case 2:
		f.rate = 0.3 * h.rng.Float64()
	case 3:
		f.rate, f.killAt = 0.1*h.rng.Float64(), 1+h.rng.IntN(100)
	case 4:
		f.syncBad = 0.5
	}
	h.streamed = h.rng.IntN(2) == 0
	concurrent := (h.rng.IntN(4) == 0 || *model.busy) && !*model.still
	full := h.rng.IntN(8) == 0
	h.tape.add("run with faults: rate %.2f kill %d gone %d sync %.1f streamed %v concurrent %v full %v", f.rate, f.killAt, f.goneAt, f.syncBad, h.streamed, concurrent, full)
	defer func() {
		for _, l := range f.log {
			h.tape.add("  %s", l)
		}
	}()
	h.quiet = false
	_ = h.go1(f, concurrent, full)
}

// settle is runs without faults: the trees are equal after the first, and the
// second finds nothing to do.
func (h *chronicle) settle() {
	h.t.Helper()
	h.streamed = h.rng.IntN(2) == 0
	h.tape.add("run, streamed %v", h.streamed)
	if err := h.go1(nil, false, false); err != nil {
		h.t.Fatalf("run without faults: %v; problems %+v", err, h.tracker.Snapshot().Problems)
	}
	h.quiet = true
	p, s := surveyOf(h.t, h.primary), surveyOf(h.t, h.secondary)
	for path, what := range differences(p, s) {
		h.t.Errorf("after a run without faults %q differs: %s", path, what)
	}
	for _, pair := range wrongLinks(p, s) {
		h.t.Errorf("after a run without faults %q are one file on one side only", pair)
	}
	if len(s.own) > 0 {
		h.t.Errorf("left behind: %q", s.own)
	}
	if h.t.Failed() {
		h.t.FailNow()
	}
	if err := h.go1(nil, false, false); err != nil {
		h.t.Fatalf("second run: %v", err)
	}
	if done := h.tracker.Snapshot().Done; done != (report.Counts{}) {
		h.t.Fatalf("the second run found something to do: %+v", done)
	}
}

// takeOver lets classic gsyncd have brought what is on the secondary now and then.
func (h *chronicle) takeOver() {
	if h.volume == nil || h.rng.IntN(4) != 0 {
		return
	}
	session := h.session
	h.volume.classic()
	h.session = session
	h.tape.add("the secondary's marks are those of classic gsyncd")
}

// go1 is one run, and a look at the marks as it left them.
func (h *chronicle) go1(f *faults, concurrent, full bool) error {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), patience)
	defer cancel()
	inner := func(s sdk.Source) sdk.Source { return s }
	h.wrapSource, h.wrapTarget = nil, nil
	meddled, changes := func() {}, concurrent
	if v := h.volume; v != nil {
		inner = func(s sdk.Source) sdk.Source { return hookSource{s, v.sourceHooks()} }
		h.wrapSource = inner
		h.wrapTarget = func(s sdk.Target) sdk.Target { return hookTarget{s, v.targetHooks(s)} }
	}
	if concurrent && h.rng.IntN(2) == 0 {
		concurrent = false
		med := &meddler{rng: rand.New(rand.NewPCG(h.rng.Uint64(), 3)), left: 40}
		med.w = newWorld(h.primary, med.rng)
		around := inner
		inner = func(s sdk.Source) sdk.Source { return around(hookSource{s, med.hooks()}) }
		h.wrapSource = inner
		meddled = func() { med.stop(); h.tape.take("P (in between)", med.w) }
	}
	if f != nil {
		f.kill = cancel
		src, dst := f.source(), f.target()
		toTarget := h.wrapTarget
		h.wrapSource = func(s sdk.Source) sdk.Source { return hookSource{inner(s), src} }
		h.wrapTarget = func(s sdk.Target) sdk.Target {
			if toTarget != nil {
				s = toTarget(s)
			}
			return hookTarget{s, dst}
		}
	}
	rec := &recorder{faults: f}
	h.wrapMarker = func(m *marker.Marker) mirror.Marker { rec.Marker = m; return rec }
	var busy sync.WaitGroup
	stop := make(chan struct{})
	if concurrent {
		rng := rand.New(rand.NewPCG(h.rng.Uint64(), 2))
		busy.Go(func() {
			w := newWorld(h.primary, rng)
			for range 40 {
				select {
				case <-stop:
					h.tape.take("P (meanwhile)", w)
					return
				default:
					w.step()
				}
			}
			<-stop
			h.tape.take("P (meanwhile)", w)
		})
	}
	h.ended = func(index *marker.Marker, src sdk.Source) {
		src = inner(src)
		close(stop)
		busy.Wait()
		meddled()
		if !rec.complete || changes {
			// The last pass did not see what is there now.
			if _, err := index.Refresh(context.Background(), src, marker.Hint{All: true}); err != nil {
				h.t.Errorf("look at the primary: %v", err)
				return
			}
		}
		h.honest(index, src)
	}
	err := h.runContext(ctx, mirror.Options{Once: true, Full: full})
	if f == nil && err != nil && errors.Is(err, context.DeadlineExceeded) {
		h.t.Errorf("the run did not end")
	}
	h.tape.add("  = %v", err)
	if h.t.Failed() {
		h.t.Fatalf("run: %v", err)
	}
	return err
}

// recorder notes whether the last pass went through the whole tree.
type recorder struct {
	*marker.Marker
	faults   *faults
	complete bool
}

func (r *recorder) Refresh(ctx context.Context, src sdk.Source, hint marker.Hint) (marker.Pass, error) {
	before := r.faults.shortened()
	pass, err := r.Marker.Refresh(ctx, src, hint)
	r.complete = err == nil && r.faults.shortened() == before
	return pass, err
}
