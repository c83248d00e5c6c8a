package plugin

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/process"
)

// Options are a Supervisor's settings; the zero value is usable.
type Options struct {
	Logger *slog.Logger // nil: nothing is logged
	// RuntimeDir is where the private directory for sockets is made, an absolute
	// path of at most 46 bytes. "": $XDG_RUNTIME_DIR, else the directory for
	// temporary files.
	RuntimeDir string
	Environ    []string // the host's environment; nil: os.Environ()
}

// Supervisor starts plugins and knows which run. Its methods may be called
// concurrently.
type Supervisor struct {
	registry Registry
	options  Options
	log      *slog.Logger
	known    descriptions

	mu      sync.Mutex
	dir     *runDir
	running map[*Process]bool
	closed  bool
}

// New returns a Supervisor for what reg holds. It starts nothing and makes
// nothing yet.
func New(reg Registry, opts Options) (*Supervisor, error) {
	if err := reg.Validate(); err != nil {
		return nil, err
	}
	if reg.Executable == "" {
		reg.Executable = "/proc/self/exe"
	}
	if opts.Environ == nil {
		opts.Environ = os.Environ()
	}
	s := &Supervisor{registry: reg, options: opts, log: opts.Logger, running: map[*Process]bool{}}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	return s, nil
}

// Start starts a plugin and waits until it has described itself. side is for
// the log: which part of a mirror it serves. The caller calls Stop or Kill on
// the Process in the end.
func (s *Supervisor) Start(ctx context.Context, kind Kind, name, side string) (*Process, error) {
	d, err := s.registry.find(kind, name)
	if err != nil {
		return nil, err
	}
	log := s.log.With("plugin", name)
	if side != "" {
		log = log.With("side", side)
	}
	p := &Process{supervisor: s, name: name}
	if d.Isolation == IsolateNone {
		p.startInside(&s.registry, kind, log)
	} else if err := s.startProcess(ctx, p, &d, log); err != nil {
		return nil, fmt.Errorf("%s %q: %w", kind, name, err)
	}
	s.mu.Lock()
	closed := s.closed
	if !closed {
		s.running[p] = true
	}
	s.mu.Unlock()
	if closed {
		p.Kill()
		return nil, errClosed
	}
	return p, nil
}

var errClosed = errors.New("supervisor is closed")

func (s *Supervisor) startProcess(ctx context.Context, p *Process, d *Declaration, log *slog.Logger) error {
	dir, err := s.socketDir()
	if err != nil {
		return err
	}
	c := process.Command{
		Path: s.registry.Executable, Args: []string{"plugin", d.Name},
		Env:          environ(s.options.Environ, d.Env),
		SocketDir:    dir,
		StartTimeout: d.StartTimeout,
		Timeouts:     process.Timeouts{Call: d.CallTimeout},
		Logger:       log,
	}
	if d.Path != "" {
		if err := s.third(&c, d); err != nil {
			return err
		}
	}
	begin := time.Now()
	proc, err := process.Launch(ctx, c)
	if err != nil {
		return guestError(d, err)
	}
	p.proc = proc
	if err := p.describe(ctx, d); err != nil {
		proc.Kill()
		return err
	}
	log.Debug("plugin started", "pid", proc.PID(), "took", time.Since(begin))
	return nil
}

// socketDir makes the private directory at the first need of it.
func (s *Supervisor) socketDir() (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return "", errClosed
	}
	if s.dir == nil {
		base, err := runBase(s.options.RuntimeDir)
		if err != nil {
			return "", err
		}
		if s.dir, err = newRunDir(base, s.log); err != nil {
			return "", err
		}
	}
	return s.dir.path, nil
}

func (s *Supervisor) forget(p *Process) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.running, p)
}

// Close stops all plugins that still run, all at once, and removes the private
// directory. When ctx ends first, they are killed.
func (s *Supervisor) Close(ctx context.Context) error {
	s.mu.Lock()
	s.closed = true
	var stopping sync.WaitGroup
	for p := range s.running {
		stopping.Go(func() { p.Stop(ctx) })
	}
	dir := s.dir
	s.dir = nil
	s.mu.Unlock()
	stopping.Wait()
	if dir == nil {
		return nil
	}
	return dir.remove()
}

// driverOf builds a built-in driver inside the host.
func (r *Registry) driverOf(name string, log *slog.Logger) sdk.Driver { return r.Drivers[name](log) }

// transferOf builds a built-in transfer method inside the host.
func (r *Registry) transferOf(name string, log *slog.Logger) sdk.Transfer {
	return r.Transfers[name](log)
}
