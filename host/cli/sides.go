package cli

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/gsyncd/gsyncd-host/host/monitor"
	"github.com/gsyncd/gsyncd-host/host/plugin"
	"github.com/gsyncd/gsyncd-host/sdk"
)

const (
	// closeGrace is how long sides have to close by themselves, and as long
	// again how long their plugins have to end.
	closeGrace = 2 * time.Second
	// stopGrace is how long the work under way has to end once the mirror is to
	// stop. After it the plugins are killed, so that no call waits for one.
	stopGrace = 4 * time.Second
)

// open starts a process for each side of the mirror and opens the two trees.
// Each side has its own, so that what hangs or dies can be told and ended alone.
func (w *worker) open(ctx context.Context) (*monitor.Sides, error) {
	sup, err := plugin.New(*w.prepared.registry, plugin.Options{Logger: w.logger, Environ: w.env.Environ})
	if err != nil {
		return nil, err
	}
	s := &monitor.Sides{}
	var closers []func() error
	closed := killLate(ctx, sup)
	s.Close = func() {
		defer closed()
		w.closeAll(closers)
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeGrace)
		defer cancel()
		if err := sup.Close(ctx); err != nil {
			w.logger.Debug("close plugins", "error", err)
		}
	}
	var wg sync.WaitGroup
	var primaryErr, secondaryErr error
	wg.Go(func() { s.Source, primaryErr = w.openSource(ctx, sup) })
	native := w.prepared.drivers[sdk.Primary].native
	var volume sdk.UUID
	if native {
		wg.Wait() // the secondary is told whose native xtimes it is to keep
		if s.Source != nil {
			volume = s.Source.Info().Volume
		}
	}
	if !native || primaryErr == nil {
		wg.Go(func() { s.Target, secondaryErr = w.openTarget(ctx, sup, volume) })
	}
	wg.Wait()
	if s.Source != nil {
		closers = append(closers, s.Source.Close)
	}
	if s.Target != nil {
		closers = append(closers, s.Target.Close)
	}
	if err := errors.Join(primaryErr, secondaryErr); err != nil {
		s.Close()
		return nil, err
	}
	s.Transfer = w.transfer(sup)
	return s, nil
}

// killLate kills all plugins some time after ctx has ended, unless the returned
// function is called before.
func killLate(ctx context.Context, sup *plugin.Supervisor) func() {
	closed := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		select {
		case <-closed:
		case <-time.After(stopGrace):
			_ = sup.Close(ctx) // which has ended, so it kills; the orderly Close still comes
		}
	})
	return func() {
		stop()
		close(closed)
	}
}

// closeAll closes the sides, all at once. It waits for a while only: what does
// not answer is about to be killed.
func (w *worker) closeAll(closers []func() error) {
	var wg sync.WaitGroup
	for _, c := range closers {
		wg.Go(func() {
			if err := c(); err != nil {
				w.logger.Debug("close", "error", err)
			}
		})
	}
	done := make(chan struct{})
	go func() {
		wg.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(closeGrace):
	}
}

func (w *worker) openSource(ctx context.Context, sup *plugin.Supervisor) (sdk.Source, error) {
	use := w.prepared.drivers[sdk.Primary]
	p, err := sup.Start(ctx, plugin.KindDriver, use.name, "primary")
	if err != nil {
		return nil, err
	}
	src, err := p.Driver().OpenSource(ctx, use.request)
	if err != nil {
		return nil, fmt.Errorf("open the primary: %w", err)
	}
	return src, nil
}

func (w *worker) openTarget(ctx context.Context, sup *plugin.Supervisor, volume sdk.UUID) (sdk.Target, error) {
	use := w.prepared.drivers[sdk.Secondary]
	use.request.Volume = volume
	p, err := sup.Start(ctx, plugin.KindDriver, use.name, "secondary")
	if err != nil {
		return nil, err
	}
	dst, err := p.Driver().OpenTarget(ctx, use.request)
	if err != nil {
		return nil, fmt.Errorf("open the secondary: %w", err)
	}
	return dst, nil
}

// transfer gives the function that starts the transfer method when it is first
// needed, and anew after it died.
func (w *worker) transfer(sup *plugin.Supervisor) func(context.Context) (sdk.Transfer, error) {
	m := w.prepared.mirror
	name := m.Transfer.Label
	switch name {
	case "stream":
		return nil
	case "auto":
		name = autoTransfer
	}
	var mu sync.Mutex
	var running *plugin.Process
	return func(ctx context.Context) (sdk.Transfer, error) {
		mu.Lock()
		defer mu.Unlock()
		if running != nil {
			select {
			case <-running.Done():
				running = nil
			default:
				return running.Transfer(), nil
			}
		}
		p, err := sup.Start(ctx, plugin.KindTransfer, name, "")
		if err != nil {
			return nil, err
		}
		for _, d := range p.Transfer().Check(ctx, w.prepared.transfer) {
			if !d.Warning {
				p.Stop(ctx)
				return nil, &sdk.Error{Kind: sdk.KindUnsupported, Op: "start " + name, Msg: d.Summary}
			}
		}
		running = p
		return p.Transfer(), nil
	}
}
