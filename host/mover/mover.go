package mover

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// Mover moves files between one pair of sides. Run may be called several times,
// one call after the other; the other methods at any time.
type Mover struct {
	cfg    Config
	log    *slog.Logger
	bucket *bucket
	stats  *stats
	choice *choice

	mu       sync.Mutex
	looked   bool    // whether the sides are directories of this machine was found out
	near     *near   // nil: the primary is not
	direct   *direct // nil: they are not both
	transfer sdk.Transfer
	starts   int       // of the plugin
	noStart  time.Time // when the plugin last failed to start
	full     fullDisk
}

// New returns a Mover. It starts nothing and touches neither side.
func New(cfg Config) (*Mover, error) {
	cfg = cfg.withDefaults()
	if cfg.Source == nil || cfg.Target == nil {
		return nil, errors.New("make mover: a side is missing")
	}
	if cfg.Method != Auto && cfg.Method != Stream && cfg.Transfer == nil {
		return nil, fmt.Errorf("make mover: there is no transfer method %q", cfg.Method)
	}
	if cfg.Rate < 0 {
		return nil, fmt.Errorf("make mover: rate of %d", cfg.Rate)
	}
	m := &Mover{cfg: cfg, log: cfg.Logger, stats: newStats(), bucket: newBucket(cfg.Rate)}
	m.choice = &choice{method: cfg.Method, plugin: cfg.Transfer != nil && m.reachable(), threshold: cfg.Threshold}
	return m, nil
}

// reachable reports whether a plugin can get at both sides at all. One that
// cannot use a shell is found out once it runs.
func (m *Mover) reachable() bool {
	return m.cfg.Source.Info().Endpoint.Local() && m.cfg.Target.Info().Endpoint.Path != ""
}

// answersDue is how many batches a worker may have sent whose results it has not
// got: over a slow network they take longer than sending does.
const answersDue = 4

// Run takes jobs until the channel is closed, and returns when all are done.
// Every job gets one result, from one of several goroutines, unless ctx ends;
// Run then returns the context's error. Jobs of one directory are best sent one
// after the other, through a channel with some room.
func (m *Mover) Run(ctx context.Context, jobs <-chan Job, result func(Result)) error {
	if err := m.look(ctx); err != nil {
		return err
	}
	m.full.forget()
	streamIn, streamOut := make(chan item, 64), make(chan []item)
	otherIn, otherOut := make(chan item, 64), make(chan []item)
	var all sync.WaitGroup
	all.Go(func() {
		defer close(streamIn)
		defer close(otherIn)
		m.dispatch(ctx, jobs, streamIn, otherIn)
	})
	streamLimit, stream, workers := streamBatches(), m.streamBatch, m.cfg.Jobs
	if m.direct != nil {
		workers = m.direct.jobs(m.cfg.Jobs)
		streamLimit = directBatches()
		stream = func(ctx context.Context, items []item, _ func(), done func(Result)) { m.directBatch(ctx, items, done) }
	}
	all.Go(func() { gather(ctx, streamIn, streamOut, streamLimit) })
	all.Go(func() { gather(ctx, otherIn, otherOut, transferBatches(m.cfg.Jobs)) })
	done := func(r Result) {
		if r.Err != nil && ctx.Err() != nil {
			return // the end, and no fault of the file
		}
		m.full.note(&r)
		m.stats.add(&r)
		result(r)
	}
	slots := make(chan struct{}, workers)
	for range workers * answersDue {
		all.Go(func() {
			for {
				slots <- struct{}{}
				items, ok := <-streamOut
				free := sync.OnceFunc(func() { <-slots })
				if ok && ctx.Err() == nil {
					stream(ctx, items, free, done)
				}
				free()
				if !ok {
					return
				}
			}
		})
	}
	for range m.cfg.Jobs {
		all.Go(func() {
			for items := range otherOut {
				if ctx.Err() == nil {
					m.transferBatch(ctx, items, done)
				}
			}
		})
	}
	all.Wait()
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("move files: %w", err)
	}
	return nil
}

func (m *Mover) dispatch(ctx context.Context, jobs <-chan Job, stream, other chan<- item) {
	for {
		select {
		case <-ctx.Done():
			return
		case j, ok := <-jobs:
			if !ok {
				return
			}
			plugin, reason := m.choice.pick(&j)
			out := stream
			if plugin {
				out = other
			}
			select {
			case <-ctx.Done():
				return
			case out <- item{Job: j, reason: reason}:
			}
		}
	}
}

// look finds out once whether both sides are directories of this machine.
func (m *Mover) look(ctx context.Context) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.looked {
		return nil
	}
	var err error
	if m.near == nil && m.cfg.Source.Info().Endpoint.Local() {
		m.near, err = openNear(ctx, m.cfg.Source)
	}
	if m.near != nil && m.cfg.Target.Info().Endpoint.Local() {
		m.direct, err = openDirect(ctx, m)
	}
	if ctx.Err() != nil {
		return fmt.Errorf("move files: %w", ctx.Err())
	}
	if err != nil {
		m.log.Info("files are copied through the drivers", slog.Any("error", err))
	}
	m.looked = true
	m.choice.setLocal(m.direct != nil)
	return nil
}

// Stats returns what was moved how, sorted by the method's name.
func (m *Mover) Stats() []MethodStat { return m.stats.list() }

// Close gives back what the Mover holds open. Run must have returned. The
// drivers and the plugin are the caller's to end.
func (m *Mover) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	var err error
	if m.direct != nil {
		err = m.direct.close()
	}
	if m.near != nil {
		err = errors.Join(err, m.near.close())
	}
	m.near, m.direct, m.looked = nil, nil, false
	return err
}
