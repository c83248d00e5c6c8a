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

// closeGrace is how long plugins have to end by themselves.
const closeGrace = 3 * time.Second

// open starts a process for each side of the mirror and opens the two trees.
// Each side has its own, so that what hangs or dies can be told and ended alone.
func (w *worker) open(ctx context.Context) (*monitor.Sides, error) {
	sup, err := plugin.New(*w.prepared.registry, plugin.Options{Logger: w.logger, Environ: w.env.Environ})
	if err != nil {
		return nil, err
	}
	s := &monitor.Sides{}
	var closers []func() error
	s.Close = func() {
		for _, c := range closers {
			if err := c(); err != nil {
				w.logger.Debug("close", "error", err)
			}
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeGrace)
		defer cancel()
		if err := sup.Close(ctx); err != nil {
			w.logger.Debug("close plugins", "error", err)
		}
	}
	var wg sync.WaitGroup
	var primaryErr, secondaryErr error
	wg.Go(func() { s.Source, primaryErr = w.openSource(ctx, sup) })
	wg.Go(func() { s.Target, secondaryErr = w.openTarget(ctx, sup) })
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

func (w *worker) openTarget(ctx context.Context, sup *plugin.Supervisor) (sdk.Target, error) {
	use := w.prepared.drivers[sdk.Secondary]
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
