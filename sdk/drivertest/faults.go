package drivertest

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// soon is how long a call may take to end once it is to, also where other things keep
// the machine busy.
const soon = 30 * time.Second

// inTime fails if f takes longer than it should.
func inTime(t T, what string, f func()) {
	t.Helper()
	begin := time.Now()
	f()
	if took := time.Since(begin); took > soon {
		t.Errorf("%s: ended after %s only", what, took.Round(time.Millisecond))
	}
}

// tripwire is a sink that does something at its n-th call, counted from 0, and
// returns what that returns.
type tripwire struct {
	at, calls int
	do        func() error
}

var (
	_ sdk.ScanSink = (*tripwire)(nil)
	_ sdk.ReadSink = (*tripwire)(nil)
)

func (w *tripwire) step() error {
	w.calls++
	if w.calls == w.at+1 {
		return w.do()
	}
	return nil
}

// tripped reports whether the n-th call came.
func (w *tripwire) tripped() bool { return w.calls > w.at }

func (w *tripwire) BeginDir(int, *sdk.Entry) error            { return w.step() }
func (w *tripwire) Entry(*sdk.Entry) error                    { return w.step() }
func (w *tripwire) EndDir(int, *sdk.Error) error              { return w.step() }
func (w *tripwire) BeginFile(int, *sdk.Entry) error           { return w.step() }
func (w *tripwire) Data(int64, []byte) error                  { return w.step() }
func (w *tripwire) EndFile(int, *sdk.Entry, *sdk.Error) error { return w.step() }

// scanWith lists up to a hundred directories.
func (m *sample) scanWith(ctx context.Context, src sdk.Source, w *tripwire) error {
	dirs := []sdk.Path{sdk.Root}
	for _, e := range m.entries {
		if e.entry.Type == sdk.TypeDir && len(dirs) < 100 {
			dirs = append(dirs, e.path)
		}
	}
	return src.Scan(ctx, sdk.ScanRequest{Dirs: dirs, Fields: sdk.FieldTarget}, w)
}

// largest gives the paths of the sample's largest file that is read, several times.
func (m *sample) largest() []sdk.Path {
	files, _ := m.files()
	if len(files) == 0 {
		return nil
	}
	big := slices.MaxFunc(files, func(a, b walked) int { return int(a.entry.Size - b.entry.Size) })
	return slices.Repeat([]sdk.Path{big.path}, 4)
}

// testSinkErrors has the host refuse each of the first calls of an answer.
func testSinkErrors(t T, s *suite) {
	m, src := s.sample(t)
	stop := errors.New("the host has had enough")
	for at := range 6 {
		w := &tripwire{at: at, do: func() error { return stop }}
		inTime(t, "scan", func() {
			if err := m.scanWith(t.Context(), src, w); w.tripped() && !errors.Is(err, stop) {
				t.Errorf("a scan that was refused at call %d ended with %v, want the host's error", at, err)
			}
		})
		if w.calls > at+1 {
			t.Errorf("a scan went on for %d calls after the host's error", w.calls-at-1)
		}
		files := m.largest()
		if files == nil {
			continue
		}
		w = &tripwire{at: at, do: func() error { return stop }}
		inTime(t, "read", func() {
			if err := src.Read(t.Context(), files, w); w.tripped() && !errors.Is(err, stop) {
				t.Errorf("a read that was refused at call %d ended with %v, want the host's error", at, err)
			}
		})
		if w.calls > at+1 {
			t.Errorf("a read went on for %d calls after the host's error", w.calls-at-1)
		}
	}
	usable(t, src)
}

func testCancelReading(t T, s *suite) {
	m, src := s.sample(t)
	ended, end := context.WithCancel(t.Context())
	end()
	never := &tripwire{at: -1}
	if err := m.scanWith(ended, src, never); !errors.Is(err, context.Canceled) {
		t.Errorf("scan for a host that gave up before: %v", err)
	}
	if _, err := src.Stat(ended, []sdk.Path{sdk.Root}, 0); !errors.Is(err, context.Canceled) {
		t.Errorf("stat for a host that gave up before: %v", err)
	}
	if files := m.largest(); files != nil {
		if err := src.Read(ended, files, never); !errors.Is(err, context.Canceled) {
			t.Errorf("read for a host that gave up before: %v", err)
		}
	}
	for at := range 4 {
		s.interrupt(t, m, src, at, func(cancel func(), _ sdk.Source) { cancel() }, func(what string, err error) {
			// What was complete when the host gave up may be handed over.
			if err != nil && !errors.Is(err, context.Canceled) {
				t.Errorf("%s, given up at call %d: %v, want an error that wraps the context's", what, at, err)
			}
		})
	}
	usable(t, src)
}

// interrupt has something happen at call at of a scan, and of a read.
func (s *suite) interrupt(t T, m *sample, src sdk.Source, at int, what func(cancel func(), src sdk.Source), judge func(string, error)) {
	t.Helper()
	for _, call := range []struct {
		name string
		run  func(context.Context, *tripwire) error
	}{
		{"scan", func(ctx context.Context, w *tripwire) error { return m.scanWith(ctx, src, w) }},
		{"read", func(ctx context.Context, w *tripwire) error { return src.Read(ctx, m.largest(), w) }},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		w := &tripwire{at: at, do: func() error { what(cancel, src); return nil }}
		inTime(t, call.name, func() { judge(call.name, call.run(ctx, w)) })
		cancel()
	}
}

func testCloseReading(t T, s *suite) {
	m, _ := s.sample(t)
	for at := range 3 {
		src := s.open(t, s.driver, m.address)
		var closing sync.WaitGroup
		var once sync.Once
		s.interrupt(t, m, src, at, func(_ func(), src sdk.Source) {
			// A Close may wait for the call in whose middle it is.
			once.Do(func() {
				closing.Go(func() {
					if err := src.Close(); err != nil {
						t.Errorf("close: %v", err)
					}
				})
			})
		}, func(string, error) {}) // whatever it ends with, it ends
		inTime(t, "close", closing.Wait)
		must(t, src.Close())
		if _, err := src.Stat(t.Context(), []sdk.Path{sdk.Root}, 0); sdk.KindOf(err) != sdk.KindGone {
			t.Errorf("stat after close: %v, want an error of kind gone", err)
		}
		if err := m.scanWith(t.Context(), src, &tripwire{at: -1}); sdk.KindOf(err) != sdk.KindGone {
			t.Errorf("scan after close: %v, want an error of kind gone", err)
		}
	}
	_, src := s.sample(t)
	usable(t, src)
}

func testKilled(t T, s *suite) {
	if s.cfg.LaunchToKill == nil {
		t.Skip("there is no process of its own to kill")
	}
	m, _ := s.sample(t)
	for at := range 2 {
		d, kill := s.cfg.LaunchToKill(t)
		src := s.open(t, d, m.address)
		var once sync.Once
		s.interrupt(t, m, src, at, func(func(), sdk.Source) { once.Do(kill) }, func(what string, err error) {
			if err != nil && sdk.KindOf(err) != sdk.KindGone {
				t.Errorf("%s while the process was killed: %v, want an error of kind gone", what, err)
			}
		})
		inTime(t, "stat", func() {
			if _, err := src.Stat(t.Context(), []sdk.Path{sdk.Root}, 0); sdk.KindOf(err) != sdk.KindGone {
				t.Errorf("stat after the process was killed: %v, want an error of kind gone", err)
			}
		})
	}
}
