package mirror_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gsyncd/gsyncd-host/host/marker"
	"github.com/gsyncd/gsyncd-host/host/mirror"
	"github.com/gsyncd/gsyncd-host/host/mover"
	"github.com/gsyncd/gsyncd-host/host/report"
	"github.com/gsyncd/gsyncd-host/host/watch"
	"github.com/gsyncd/gsyncd-host/plugins/file"
	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/schema"
)

// rig is a mirror of two temporary trees through the real file driver.
type rig struct {
	t                  *testing.T
	primary, secondary string
	state              string
	session            mirror.Session
	tracker            *report.Tracker
	running            atomic.Pointer[report.Tracker] // the tracker, for other goroutines
	log                *slog.Logger

	// What a test may change before a run.
	keep       bool
	adopt      bool
	sweep      time.Duration
	events     string // the kind of events that tell where to look; none: it is scanned
	cross      bool   // the primary goes on where something is mounted
	clock      func() time.Time
	wall       func() time.Time // the marker's
	maxDeletes int64
	wrapSource func(sdk.Source) sdk.Source
	wrapTarget func(sdk.Target) sdk.Target
	wrapMarker func(*marker.Marker) mirror.Marker
	detector   mirror.Detector // nil: by events, or by scanning
	retry      mirror.Retry
	pace       marker.ScanPace
	// streamed hides from the mover that both sides are local, so that all data
	// takes the way through Read and Write.
	streamed bool
	// ended, if not nil, is called when the mirror has ended and before the
	// sides and the marker are closed.
	ended func(*marker.Marker, sdk.Source)
	// closed, if not nil, is called once the marker is closed.
	closed func()
}

// prompt is a detector for a run that is to end soon: it does not wait for events
// that may never come. The program listens to none in such a run.
type prompt struct{ *watch.Chooser }

func (p prompt) Next(ctx context.Context) (marker.Hint, error) {
	wait, cancel := context.WithTimeout(ctx, 10*time.Millisecond)
	defer cancel()
	hint, err := p.Chooser.Next(wait)
	if errors.Is(err, context.DeadlineExceeded) {
		return marker.Hint{}, ctx.Err()
	}
	return hint, err
}

func newRig(t *testing.T) *rig {
	t.Helper()
	return newRigAt(t, t.TempDir())
}

// memoryDir is a temporary directory in memory, where there is one: tests of many
// small runs need not wait for a disk.
func memoryDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "gsyncd-host-test-") //nolint:usetesting // memory, not the disk
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// age waits until what was done to the primary is too old to be done again within
// one tick of its clock, as far as the mirror knows.
func (r *rig) age() {
	r.t.Helper()
	probe := filepath.Join(filepath.Dir(r.primary), "probe")
	var began time.Time
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for range tick.C {
		if err := os.WriteFile(probe, nil, 0o600); err != nil {
			r.t.Fatal(err)
		}
		info, err := os.Stat(probe)
		if err != nil {
			r.t.Fatal(err)
		}
		if began.IsZero() {
			began = info.ModTime()
		}
		if info.ModTime().Sub(began) > 40*time.Millisecond {
			return
		}
	}
}

// inMemory is the same rig elsewhere.
func (r *rig) inMemory() *rig {
	m := newRigAt(r.t, memoryDir(r.t))
	m.streamed = r.streamed
	return m
}

// newRigAt is newRig below an existing directory.
func newRigAt(t *testing.T, base string) *rig {
	t.Helper()
	r := &rig{t: t, primary: filepath.Join(base, "p"), secondary: filepath.Join(base, "s"), state: filepath.Join(base, "state")}
	for _, d := range []string{r.primary, r.secondary, filepath.Join(r.state, "index")} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	r.log = slog.New(slog.NewTextHandler(testWriter{t}, &slog.HandlerOptions{Level: slog.LevelWarn}))
	r.retry = mirror.Retry{Min: 10 * time.Millisecond, Max: time.Second, Attempts: 2}
	r.pace = marker.ScanPace{Interval: 10 * time.Millisecond, Share: 1}
	return r
}

type testWriter struct{ t *testing.T }

func (w testWriter) Write(p []byte) (int, error) {
	w.t.Log(strings.TrimSpace(string(p)))
	return len(p), nil
}

// run runs the mirror once with everything opened anew, and returns its end.
func (r *rig) run(opts mirror.Options) error {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), patience)
	defer cancel()
	return r.runContext(ctx, opts)
}

func (r *rig) runContext(ctx context.Context, opts mirror.Options) error {
	r.t.Helper()
	d := file.New(r.log)
	open := func(path string, role sdk.Role) sdk.OpenRequest {
		v, err := d.Describe().Schema.WithDefaults(schema.Values{"cross_mounts": r.cross})
		if err != nil {
			r.t.Fatal(err)
		}
		return sdk.OpenRequest{Address: sdk.Address{Scheme: "file", Rest: path}, Role: role, Config: v, MarkKey: "test"}
	}
	src, err := d.OpenSource(ctx, open(r.primary, sdk.Primary))
	if err != nil {
		return err
	}
	defer func() { _ = src.Close() }()
	dst, err := d.OpenTarget(ctx, open(r.secondary, sdk.Secondary))
	for end := time.Now().Add(patience); sdk.KindOf(err) == sdk.KindBusy && time.Now().Before(end); {
		// A process that another test is just starting has the last run's lock until it
		// executes something.
		<-time.After(5 * time.Millisecond)
		dst, err = d.OpenTarget(ctx, open(r.secondary, sdk.Secondary))
	}
	if err != nil {
		return err
	}
	defer func() { _ = dst.Close() }()
	raw := src
	if r.streamed {
		src = hookSource{src, &hooks{info: withoutPath}}
		dst = hookTarget{dst, &hooks{info: withoutPath}}
	}
	if r.wrapSource != nil {
		src = r.wrapSource(src)
	}
	if r.wrapTarget != nil {
		dst = r.wrapTarget(dst)
	}
	index, err := marker.Open(filepath.Join(r.state, "index"), marker.Options{Logger: r.log, Clock: r.wall})
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() {
		_ = index.Close()
		if r.closed != nil {
			r.closed()
		}
	}()
	mv, err := mover.New(mover.Config{Source: src, Target: dst, Method: mover.Stream, Logger: r.log})
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = mv.Close() }()
	if r.ended != nil {
		defer func() { r.ended(index, raw) }()
	}
	var xtimes mirror.Marker = index
	if r.wrapMarker != nil {
		xtimes = r.wrapMarker(index)
	}
	r.tracker = report.NewTracker("test", r.primary, r.secondary, time.Now)
	r.running.Store(r.tracker)
	clock := time.Now
	if r.clock != nil {
		clock = r.clock
	}
	var detector mirror.Detector = marker.NewScanDetector(r.pace)
	if r.events != "" {
		d, err := watch.Open(ctx, watch.Options{Kind: r.events, Source: raw, Index: index, Logger: r.log, Chosen: func(c watch.Choice) {
			if c.Kind != r.events {
				r.t.Errorf("changes are noticed otherwise: %+v", c)
			}
		}})
		if err != nil {
			return err
		}
		defer d.Close()
		index.Watched(d.Watch)
		detector = d
		if opts.Once && r.events != watch.Btrfs {
			detector = prompt{d}
		}
	}
	if r.detector != nil {
		detector = r.detector
	}
	m := mirror.New(mirror.Config{
		Source: src, Target: dst, Marker: xtimes, Mover: mv,
		Detector: detector,
		Sweep:    r.sweep,
		Keep:     r.keep, MaxDeletes: r.maxDeletes, Adopt: r.adopt,
		Retry:       r.retry,
		Session:     r.session,
		SaveSession: func(s mirror.Session) error { r.session = s; return nil },
		Tracker:     r.tracker, Logger: r.log, Clock: clock,
	})
	return m.Run(ctx, opts)
}

// sync runs until in sync and fails the test otherwise.
func (r *rig) sync() report.Snapshot {
	r.t.Helper()
	err := r.run(mirror.Options{Once: true})
	s := r.tracker.Snapshot()
	if err != nil {
		r.t.Fatalf("run: %v; problems: %+v", err, s.Problems)
	}
	return s
}

// equal fails the test unless both trees are the same in everything mirrored.
func (r *rig) equal() {
	r.t.Helper()
	a, b := describe(r.t, r.primary), describe(r.t, r.secondary)
	if a != b {
		r.t.Fatalf("trees differ:\n%s", diffLines(a, b))
	}
}

func diffLines(a, b string) string {
	in := map[string]int{}
	for _, l := range strings.Split(a, "\n") {
		in[l]++
	}
	for _, l := range strings.Split(b, "\n") {
		in[l]--
	}
	var out strings.Builder
	for l, n := range in {
		switch {
		case n > 0:
			out.WriteString("primary only:   " + l + "\n")
		case n < 0:
			out.WriteString("secondary only: " + l + "\n")
		}
	}
	return out.String()
}

func (r *rig) write(path, data string) {
	r.t.Helper()
	full := filepath.Join(r.primary, path)
	if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
		r.t.Fatal(err)
	}
	if err := os.WriteFile(full, []byte(data), 0o644); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) sh(script string) {
	r.t.Helper()
	cmd := exec.Command("sh", "-ec", script)
	cmd.Dir = r.primary
	cmd.Env = append(os.Environ(), "P="+r.primary, "S="+r.secondary)
	if out, err := cmd.CombinedOutput(); err != nil {
		r.t.Fatalf("%s: %v\n%s", script, err, out)
	}
}

func (r *rig) exists(path string) bool {
	_, err := os.Lstat(filepath.Join(r.secondary, path))
	return err == nil
}

// quietLog is for tests in which things go wrong all the time.
func quietLog() *slog.Logger { return slog.New(slog.DiscardHandler) }
