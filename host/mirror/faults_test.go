package mirror_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"syscall"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// faults makes calls of both sides fail, by chance and from one seed: calls
// fail whole, single entries and operations fail, listings break off, what was
// done is reported as failed, the side is gone from some call on. A kill is
// all calls failing at once with the mirror's context ended, so that not even
// tidying up is possible.
type faults struct {
	rate    float64 // chance of a fault for a call, and for an item in it
	killAt  int     // the call with which everything ends; 0 is never
	goneAt  int     // the call from which on the side is gone; 0 is never
	syncBad float64 // chance of a failing Sync

	mu    sync.Mutex
	rng   *rand.Rand
	calls int
	dead  error
	short int // listings of the primary that were not whole
	kill  context.CancelFunc
	log   []string
}

func (f *faults) note(format string, args ...any) {
	if len(f.log) < 60 {
		f.log = append(f.log, fmt.Sprintf(format, args...))
	}
}

func (f *faults) chance(p float64) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return p > 0 && f.rng.Float64() < p
}

func (f *faults) upTo(n int) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.rng.IntN(n + 1)
}

// any gives some error, of a kind that calls can fail with.
func (f *faults) any(op string, p sdk.Path) *sdk.Error {
	f.mu.Lock()
	defer f.mu.Unlock()
	list := []sdk.Error{
		{Kind: sdk.KindTransient, Errno: syscall.EIO},
		{Kind: sdk.KindPermission, Errno: syscall.EACCES},
		{Kind: sdk.KindNoSpace, Errno: syscall.ENOSPC},
		{Kind: sdk.KindNotExist, Errno: syscall.ENOENT},
		{Kind: sdk.KindFatal, Msg: "injected"},
		{Kind: sdk.KindChanged, Msg: "injected"},
		{Kind: sdk.KindBusy, Errno: syscall.EBUSY},
		{Kind: sdk.KindUnsupported, Errno: syscall.ENOTSUP},
	}
	e := list[f.rng.IntN(len(list))]
	e.Op, e.Path = op, p
	f.note("%d: %v (%v)", f.calls, &e, e.Kind)
	return &e
}

// call counts a call and says whether it fails before anything is done.
func (f *faults) call(name string) error {
	f.mu.Lock()
	f.calls++
	switch {
	case f.dead != nil:
	case f.killAt > 0 && f.calls >= f.killAt:
		f.dead = context.Canceled
		f.note("%d: killed in %s", f.calls, name)
		f.kill()
	case f.goneAt > 0 && f.calls >= f.goneAt:
		f.dead = &sdk.Error{Kind: sdk.KindGone, Op: name, Msg: "the plugin ended"}
		f.note("%d: gone in %s", f.calls, name)
	}
	err := f.dead
	f.mu.Unlock()
	if err != nil {
		return err
	}
	if f.chance(f.rate / 8) {
		return f.any(name, "")
	}
	return nil
}

// over says why nothing more is to be done, once that is so.
func (f *faults) over() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.dead
}

// shortened counts the listings of the primary that were not whole.
func (f *faults) shortened() int {
	if f == nil {
		return 0
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.short
}

func (f *faults) source() *hooks { return f.hooks("primary") }
func (f *faults) target() *hooks { return f.hooks("secondary") }

func (f *faults) hooks(side string) *hooks {
	return &hooks{
		identity: func(next func() (sdk.Identity, error)) (sdk.Identity, error) {
			if err := f.call(side + " identity"); err != nil {
				return sdk.Identity{}, err
			}
			return next()
		},
		beacon: func(next func() (sdk.Beacon, error)) (sdk.Beacon, error) {
			if err := f.call(side + " beacon"); err != nil {
				return sdk.Beacon{}, err
			}
			return next()
		},
		scan: func(req sdk.ScanRequest, sink sdk.ScanSink, next func(sdk.ScanRequest, sdk.ScanSink) error) error {
			if err := f.call(side + " scan"); err != nil {
				return err
			}
			return next(req, &faultySink{faults: f, side: side, req: req, sink: sink})
		},
		stat: func(paths []sdk.Path, _ sdk.Fields, next func() ([]sdk.Entry, error)) ([]sdk.Entry, error) {
			if err := f.call(side + " stat"); err != nil {
				return nil, err
			}
			out, err := next()
			for i := range out {
				if f.chance(f.rate / 4) {
					out[i] = sdk.Entry{Name: out[i].Name, Err: f.any(side+" stat", paths[i])}
				}
			}
			return out, err
		},
		read: func(paths []sdk.Path, sink sdk.ReadSink, next func([]sdk.Path, sdk.ReadSink) error) error {
			if err := f.call("read"); err != nil {
				return err
			}
			return next(paths, &faultyReadSink{faults: f, paths: paths, sink: sink})
		},
		apply: f.apply,
		write: func(next func() (sdk.Writer, error)) (sdk.Writer, error) {
			if err := f.call("write"); err != nil {
				return nil, err
			}
			w, err := next()
			if err != nil {
				return nil, err
			}
			return &faultyWriter{Writer: w, faults: f}, nil
		},
		sync: func(next func() error) error {
			if err := f.call("sync"); err != nil {
				return err
			}
			if f.chance(f.syncBad) {
				return f.any("sync", "")
			}
			return next()
		},
	}
}

// apply does some of the operations, all of them without saying so, or lets
// single ones fail.
func (f *faults) apply(ops []sdk.Op, next func([]sdk.Op) ([]sdk.OpResult, error)) ([]sdk.OpResult, error) {
	if err := f.call("apply"); err != nil {
		n := f.upTo(len(ops))
		if n > 0 && f.over() != nil && f.chance(0.5) {
			_, _ = next(ops[:n]) // it ended in the middle
		}
		return nil, err
	}
	var pass []sdk.Op
	results := make([]sdk.OpResult, len(ops))
	var at []int
	for i := range ops {
		if f.chance(f.rate / 4) {
			results[i].Err = f.any(ops[i].Kind.String(), ops[i].Path)
			if f.chance(0.5) {
				continue
			}
			f.mu.Lock()
			f.note("  (but done)")
			f.mu.Unlock()
		}
		pass, at = append(pass, ops[i]), append(at, i)
	}
	done, err := next(pass)
	if err != nil {
		return nil, err
	}
	for i, k := range at {
		if results[k].Err == nil {
			results[k] = done[i]
		}
	}
	return results, nil
}

// faultySink breaks listings off and hides attributes of entries.
type faultySink struct {
	*faults
	side string
	req  sdk.ScanRequest
	sink sdk.ScanSink
	dir  int
	off  *sdk.Error // the open directory's listing broke off
}

// broken is an error of a listing. The primary does not say that something is
// gone which is not.
func (s *faultySink) broken(op string, p sdk.Path) *sdk.Error {
	err := s.any(s.side+op, p)
	if s.side == "primary" && (err.Kind == sdk.KindNotExist || err.Kind == sdk.KindChanged) {
		err.Kind = sdk.KindTransient
	}
	return err
}

func (s *faultySink) BeginDir(i int, self *sdk.Entry) error {
	if err := s.over(); err != nil {
		return err
	}
	s.dir, s.off = i, nil
	if s.chance(s.rate / 4) {
		s.off = s.broken(" list", s.req.Dirs[i])
		return nil
	}
	return s.sink.BeginDir(i, self)
}

func (s *faultySink) Entry(e *sdk.Entry) error {
	if err := s.over(); err != nil {
		return err
	}
	if s.off != nil {
		return nil
	}
	if s.chance(s.rate / 16) {
		s.off = s.broken(" list short", s.req.Dirs[s.dir])
		return nil
	}
	// A directory that hides behind an error hides what is in it, and links to it.
	if e.Type != sdk.TypeDir && s.chance(s.rate/16) {
		s.mu.Lock()
		s.short++
		s.mu.Unlock()
		return s.sink.Entry(&sdk.Entry{Name: e.Name, Err: s.any(s.side+" lstat", s.req.Dirs[s.dir].Join(e.Name))})
	}
	return s.sink.Entry(e)
}

func (s *faultySink) EndDir(i int, err *sdk.Error) error {
	if over := s.over(); over != nil {
		return over
	}
	if s.off != nil {
		err = s.off
		s.mu.Lock()
		if s.side == "primary" {
			s.short++
		}
		s.mu.Unlock()
	}
	return s.sink.EndDir(i, err)
}

// faultyReadSink lets files fail in the middle.
type faultyReadSink struct {
	*faults
	paths []sdk.Path
	sink  sdk.ReadSink
}

func (s *faultyReadSink) BeginFile(i int, before *sdk.Entry) error {
	if err := s.over(); err != nil {
		return err
	}
	return s.sink.BeginFile(i, before)
}

func (s *faultyReadSink) Data(off int64, p []byte) error {
	if err := s.over(); err != nil {
		return err
	}
	return s.sink.Data(off, p)
}

func (s *faultyReadSink) EndFile(i int, after *sdk.Entry, err *sdk.Error) error {
	if over := s.over(); over != nil {
		return over
	}
	if s.chance(s.rate / 2) {
		return s.sink.EndFile(i, nil, s.any("read", s.paths[i]))
	}
	return s.sink.EndFile(i, after, err)
}

// faultyWriter fails as a stream.
type faultyWriter struct {
	sdk.Writer
	*faults
}

func (w *faultyWriter) Begin(n sdk.NewFile) error {
	if err := w.call("begin"); err != nil {
		return err
	}
	return w.Writer.Begin(n)
}

func (w *faultyWriter) End(keep bool) error {
	if err := w.call("end"); err != nil {
		return err
	}
	return w.Writer.End(keep)
}

func (w *faultyWriter) Close() ([]sdk.OpResult, error) {
	if err := w.over(); err != nil {
		return nil, err // as if the process had ended: nothing is tidied up
	}
	results, err := w.Writer.Close()
	if w.chance(w.rate / 4) {
		return nil, w.any("close", "")
	}
	for i := range results {
		if results[i].Err == nil && w.chance(w.rate/4) {
			results[i].Err = w.any("write", "")
		}
	}
	return results, err
}
