package mover

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// noStartFor is how long a plugin that could not be started is left alone.
const noStartFor = time.Minute

// plugin returns the transfer plugin, started, and which start that was.
func (m *Mover) plugin(ctx context.Context) (sdk.Transfer, int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.transfer != nil {
		return m.transfer, m.starts, nil
	}
	if !m.noStart.IsZero() && time.Since(m.noStart) < noStartFor {
		return nil, 0, &sdk.Error{Kind: sdk.KindTransient, Op: "start transfer method", Msg: "it could not be started lately"}
	}
	t, err := m.cfg.Transfer(ctx)
	if err == nil && t == nil {
		err = &sdk.Error{Kind: sdk.KindUnsupported, Op: "start transfer method", Msg: "there is none"}
	}
	if err != nil {
		if ctx.Err() == nil {
			m.noStart = time.Now()
			m.log.Warn("the transfer method cannot be started, files are streamed", slog.Any("error", err))
		}
		return nil, 0, err
	}
	m.transfer = t
	m.starts++
	return t, m.starts, nil
}

// lost forgets a plugin that is gone, so that it is started anew, unless that
// has been done.
func (m *Mover) lost(start int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.starts == start {
		m.transfer = nil
	}
}

// transferBatch moves files with the plugin. What the plugin cannot do is
// streamed.
func (m *Mover) transferBatch(ctx context.Context, items []item, done func(Result)) {
	fallBack := func(items []item, why string) {
		if len(items) == 0 || ctx.Err() != nil {
			return
		}
		m.log.Info("files are streamed instead", slog.Int("files", len(items)), slog.String("reason", why))
		for i := range items {
			items[i].reason = "fell back: " + why
		}
		if m.direct != nil {
			m.directBatch(ctx, items, done)
		} else {
			m.streamBatch(ctx, items, func() {}, done)
		}
	}
	t, nth, err := m.plugin(ctx)
	if err != nil {
		fallBack(items, "no transfer method")
		return
	}
	name := t.Describe().Name
	if !m.cfg.Target.Info().Endpoint.Local() && !t.Describe().Remote {
		m.unsupported(name, &sdk.Error{Kind: sdk.KindUnsupported, Op: "run " + name, Msg: "it works on this machine only"})
		fallBack(items, "no path to a side")
		return
	}
	pending := m.refuseFull(items, name, done)
	told := done
	done = func(res Result) {
		res.Beside = true
		told(res)
	}
	for n := 0; len(pending) > 0 && ctx.Err() == nil; n++ {
		if n == attempts {
			for i := range pending {
				done(Result{Job: pending[i].Job, Method: name, Reason: pending[i].reason, Err: keepsChanging(pending[i].Path), Busy: true})
			}
			return
		}
		// Results are told when the job's directory is gone: then nothing moves
		// the root's times any more.
		var results []Result
		keep := func(res Result) { results = append(results, res) }
		r := &transferRun{mover: m, plugin: t, start: nth, name: name, done: keep, instead: map[string][]item{}}
		start := time.Now()
		r.run(ctx, pending)
		m.stats.busy(name, time.Since(start).Seconds())
		for _, res := range results {
			done(res)
		}
		for why, items := range r.instead {
			fallBack(items, why)
		}
		pending = r.again
	}
}

// unsupported notes that the plugin can do nothing between these sides.
func (m *Mover) unsupported(name string, why error) {
	if m.choice.giveUp() {
		m.log.Warn("files are streamed from now on, the transfer method cannot be used", slog.String("plugin", name), slog.Any("error", why))
	}
}

// config is the plugin's, with its share of the rate if it can hold to one.
func (m *Mover) config(t sdk.Transfer) map[string]any {
	const attr = "rate"
	out := map[string]any{}
	for k, v := range m.cfg.TransferConfig {
		out[k] = v
	}
	if m.cfg.Rate > 0 && t.Describe().Schema.Attribute(attr) != nil {
		share := max(1, m.cfg.Rate/int64(m.cfg.Jobs))
		if own, ok := out[attr].(int64); !ok || own <= 0 || own > share {
			out[attr] = share
		}
	}
	return out
}

func fallReason(e *sdk.Error) string {
	if e.Errno != 0 {
		return fmt.Sprintf("%s: %s", e.Kind, e.Errno)
	}
	return e.Kind.String()
}
