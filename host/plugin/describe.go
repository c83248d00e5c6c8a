package plugin

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// descriptions keeps what plugins said of themselves, which does not change
// while the host runs.
type descriptions struct {
	mu        sync.Mutex
	drivers   map[string]sdk.Descriptor
	transfers map[string]sdk.TransferDescriptor
}

// DescribeDriver returns what a driver says of itself. A built-in one costs
// nothing; a third party's is started for it, once.
func (s *Supervisor) DescribeDriver(ctx context.Context, name string) (sdk.Descriptor, error) {
	s.known.mu.Lock()
	defer s.known.mu.Unlock()
	if d, ok := s.known.drivers[name]; ok {
		return d, nil
	}
	p, err := s.startToDescribe(ctx, KindDriver, name)
	if err != nil {
		return sdk.Descriptor{}, err
	}
	defer p.Stop(ctx)
	if s.known.drivers == nil {
		s.known.drivers = map[string]sdk.Descriptor{}
	}
	s.known.drivers[name] = p.Driver().Describe()
	return s.known.drivers[name], nil
}

// DescribeTransfer is DescribeDriver for transfer methods.
func (s *Supervisor) DescribeTransfer(ctx context.Context, name string) (sdk.TransferDescriptor, error) {
	s.known.mu.Lock()
	defer s.known.mu.Unlock()
	if d, ok := s.known.transfers[name]; ok {
		return d, nil
	}
	p, err := s.startToDescribe(ctx, KindTransfer, name)
	if err != nil {
		return sdk.TransferDescriptor{}, err
	}
	defer p.Stop(ctx)
	if s.known.transfers == nil {
		s.known.transfers = map[string]sdk.TransferDescriptor{}
	}
	s.known.transfers[name] = p.Transfer().Describe()
	return s.known.transfers[name], nil
}

// startToDescribe builds a built-in plugin inside the host, since describing is
// without I/O, and starts any other.
func (s *Supervisor) startToDescribe(ctx context.Context, kind Kind, name string) (*Process, error) {
	d, err := s.registry.find(kind, name)
	if err != nil {
		return nil, err
	}
	if d.Path != "" {
		return s.Start(ctx, kind, name, "")
	}
	p := &Process{supervisor: s, name: name}
	p.startInside(&s.registry, kind, slog.New(slog.DiscardHandler))
	return p, nil
}

// Schemes returns the known URL schemes, each with the name of its driver. A
// driver that cannot be asked is left out and named in the error; the rest is
// good. Of two drivers for one scheme the declared one has it, since it was
// named on purpose.
func (s *Supervisor) Schemes(ctx context.Context) (map[string]string, error) {
	out := map[string]string{}
	declared := map[string]bool{}
	var errs []error
	for _, name := range s.registry.Names(KindDriver) {
		desc, err := s.DescribeDriver(ctx, name)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		d, err := s.registry.find(KindDriver, name)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		for _, scheme := range desc.Schemes {
			_, taken := out[scheme]
			switch third := d.Path != ""; {
			case !taken || third && !declared[scheme]:
				out[scheme], declared[scheme] = name, third
			case third == declared[scheme]:
				errs = append(errs, fmt.Errorf("scheme %q: both driver %q and driver %q open it", scheme, out[scheme], name))
			}
		}
	}
	return out, errors.Join(errs...)
}
