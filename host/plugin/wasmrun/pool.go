package wasmrun

import (
	"context"
	"errors"
	"reflect"
	"sync"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// pool holds the instances in which one resource is open.
type pool[R sdk.Resource] struct {
	engine *engine
	most   int // instances
	// once says that the resource is not opened again after its instance failed.
	once bool
	open func(context.Context, *instance) (R, error)
	info sdk.Info

	mu     sync.Mutex
	places []*place[R]
	making int
	made   chan struct{} // closed when one was made, or could not be; nil if nobody waits
	closed bool
}

// place is a resource as it is open in one instance.
type place[R sdk.Resource] struct {
	in       *instance
	resource R
	active   int
}

// first opens the resource for the first time.
func (p *pool[R]) first(ctx context.Context) error {
	at, err := p.add(ctx, true)
	if err == nil {
		p.info = at.resource.Info()
		if p.info.Features&sdk.OneInstance != 0 {
			p.most = 1
		}
	}
	return err
}

// add opens the resource in one more instance.
func (p *pool[R]) add(ctx context.Context, first bool) (*place[R], error) {
	in, err := p.engine.newInstance(ctx)
	if err != nil {
		return nil, err
	}
	r, err := p.open(ctx, in)
	if err != nil {
		in.close()
		return nil, err
	}
	at := &place[R]{in: in, resource: r}
	if !first && !reflect.DeepEqual(r.Info(), p.info) {
		return nil, errors.Join(&sdk.Error{Kind: sdk.KindGone, Op: "open again", Msg: "the resource has other features now"}, at.end())
	}
	p.mu.Lock()
	closed := p.closed
	if !closed {
		p.places = append(p.places, at)
	}
	p.mu.Unlock()
	if closed { // the guest is asked to close it, which others need not wait for
		return nil, errors.Join(errClosed(), at.end())
	}
	return at, nil
}

func errClosed() *sdk.Error {
	return &sdk.Error{Kind: sdk.KindGone, Op: "call", Msg: "the resource is closed"}
}

// take finds a place for one call; the caller calls done in the end. It is the one
// with the least to do, or a new one if all are busy and more are allowed.
func (p *pool[R]) take(ctx context.Context) (at *place[R], done func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	if at, err = p.find(ctx); err != nil {
		return nil, nil, err
	}
	if at == nil || at.active > 0 && len(p.places)+p.making < p.most {
		p.making++
		p.mu.Unlock()
		fresh, err := p.add(ctx, false)
		p.mu.Lock()
		p.making--
		if p.made != nil {
			close(p.made)
			p.made = nil
		}
		if err == nil {
			at = fresh
		}
		if at == nil {
			p.mu.Unlock()
			return nil, nil, err
		}
	}
	at.active++
	p.mu.Unlock()
	return at, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		at.active--
	}, nil
}

// find returns the place with the least to do, nil if there is none and one may be
// made. It waits while there is none and others make as many as there may be. Without
// an error p is locked afterwards.
func (p *pool[R]) find(ctx context.Context) (*place[R], error) {
	for {
		p.mu.Lock()
		if p.closed {
			p.mu.Unlock()
			return nil, errClosed()
		}
		at := p.idlest()
		if at == nil && p.once {
			p.mu.Unlock()
			return nil, &sdk.Error{Kind: sdk.KindGone, Op: "call", Msg: "its guest failed"}
		}
		if at != nil || p.making < p.most {
			return at, nil
		}
		if p.made == nil {
			p.made = make(chan struct{})
		}
		made := p.made
		p.mu.Unlock()
		select {
		case <-made:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// idlest returns the place with the least to do, and forgets those that failed.
func (p *pool[R]) idlest() *place[R] {
	var best *place[R]
	good := p.places[:0]
	for _, at := range p.places {
		if at.in.broken() != nil {
			continue
		}
		good = append(good, at)
		if best == nil || at.active < best.active {
			best = at
		}
	}
	clear(p.places[len(good):])
	p.places = good
	return best
}

// end closes the resource in its instance, and the instance.
func (at *place[R]) end() error {
	defer at.in.close()
	return at.resource.Close()
}

// Info returns what was found when the resource was opened.
func (p *pool[R]) Info() sdk.Info { return p.info }

// Close ends all use.
func (p *pool[R]) Close() error {
	p.mu.Lock()
	places := p.places
	p.places, p.closed = nil, true
	p.mu.Unlock()
	var errs []error
	for _, at := range places {
		if at.in.broken() == nil {
			errs = append(errs, at.end())
		}
	}
	return errors.Join(errs...)
}

// one makes a call of one answer.
func one[R sdk.Resource, T any](ctx context.Context, p *pool[R], f func(R) (T, error)) (T, error) {
	at, done, err := p.take(ctx)
	if err != nil {
		var none T
		return none, err
	}
	defer done()
	out, err := f(at.resource)
	at.in.judge(err)
	return out, err
}
