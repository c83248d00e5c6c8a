package mover_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gsyncd/gsyncd-host/host/mover"
	"github.com/gsyncd/gsyncd-host/sdk"
)

// slowTarget is one whose results take so long that a second stream is begun
// before the first one's come.
type slowTarget struct {
	sdk.Target
	streams atomic.Int32
	second  chan struct{}
}

func (s *slowTarget) Info() sdk.Info { return sdk.Info{Features: s.Target.Info().Features} }

func (s *slowTarget) Write(ctx context.Context) (sdk.Writer, error) {
	if s.streams.Add(1) == 2 {
		close(s.second)
	}
	w, err := s.Target.Write(ctx)
	return &slowWriter{Writer: w, ctx: ctx, target: s}, err
}

type slowWriter struct {
	sdk.Writer
	ctx    context.Context
	target *slowTarget
}

func (w *slowWriter) Close() ([]sdk.OpResult, error) {
	results, err := w.Writer.Close()
	select {
	case <-w.target.second:
	case <-w.ctx.Done():
		err = errors.Join(err, w.ctx.Err())
	}
	return results, err
}

// TestSendsWhileResultsAreDue moves two files with one worker: the second must
// not wait for what became of the first.
func TestSendsWhileResultsAreDue(t *testing.T) {
	p := newPair(t)
	p.write(t, "a", []byte("one"))
	p.write(t, "b", []byte("two"))
	first, second := p.job(t, "a"), p.job(t, "b")
	slow := &slowTarget{Target: p.target, second: make(chan struct{})}
	m, err := mover.New(mover.Config{Source: remoteSource{p.source}, Target: slow, Jobs: 1})
	must(t, err)
	t.Cleanup(func() { must(t, m.Close()) })
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	in := make(chan mover.Job)
	go func() {
		defer close(in)
		in <- first
		for slow.streams.Load() == 0 && ctx.Err() == nil { // so that they are no batch
			<-time.After(time.Millisecond)
		}
		in <- second
	}()
	results := make(chan mover.Result, 2)
	must(t, m.Run(ctx, in, func(r mover.Result) { results <- r }))
	close(results)
	for r := range results {
		if r.Err != nil {
			t.Errorf("%s: %v", r.Job.Path, r.Err)
		}
	}
}
