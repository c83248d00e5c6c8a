package plugin

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"sync"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/process"
)

// Process is a started plugin: a process, or, without isolation, a value inside
// the host. Its methods may be called concurrently.
type Process struct {
	supervisor *Supervisor
	name       string
	proc       *process.Process // nil without isolation
	driver     sdk.Driver
	transfer   sdk.Transfer

	ended chan struct{} // without isolation
	end   sync.Once
}

// Driver returns the driver, nil if the plugin is no driver.
func (p *Process) Driver() sdk.Driver { return p.driver }

// Transfer returns the transfer method, nil if the plugin is none.
func (p *Process) Transfer() sdk.Transfer { return p.transfer }

// PID returns the process id; without isolation that is the host's.
func (p *Process) PID() int {
	if p.proc == nil {
		return os.Getpid()
	}
	return p.proc.PID()
}

// Done is closed when the plugin has ended, for whatever reason.
func (p *Process) Done() <-chan struct{} {
	if p.proc == nil {
		return p.ended
	}
	return p.proc.Done()
}

// Err says how the process ended: nil before its end and after an orderly one.
func (p *Process) Err() error {
	if p.proc == nil {
		return nil
	}
	return p.proc.Err()
}

// Stop ends the plugin in good order, or else within process.StopGrace by force.
// Resources should be closed before. It may be called more than once.
func (p *Process) Stop(ctx context.Context) {
	defer p.supervisor.forget(p) // who closes it waits for the end
	if p.proc != nil {
		p.proc.Stop(ctx)
		return
	}
	p.end.Do(func() { close(p.ended) })
}

// Kill ends the plugin at once.
func (p *Process) Kill() {
	defer p.supervisor.forget(p)
	if p.proc != nil {
		p.proc.Kill()
		return
	}
	p.end.Do(func() { close(p.ended) })
}

// startInside builds a plugin inside the host.
func (p *Process) startInside(reg *Registry, kind Kind, log *slog.Logger) {
	p.ended = make(chan struct{})
	if kind == KindDriver {
		p.driver = reg.driverOf(p.name, log)
	} else {
		p.transfer = reg.transferOf(p.name, log)
	}
}

// describe asks the process what it is, which must be what it was started as, if
// that is known.
func (p *Process) describe(ctx context.Context, d *Declaration) (err error) {
	var name string
	if d.Kind == KindDriver {
		if p.driver, err = p.proc.Driver(ctx); err != nil {
			return err
		}
		desc := p.driver.Describe()
		name = desc.Name
		for _, scheme := range desc.Schemes {
			if err := p.supervisor.registry.reserved(name, scheme); d.Path != "" && err != nil {
				return err
			}
		}
	} else {
		if p.transfer, err = p.proc.Transfer(ctx); err != nil {
			return err
		}
		name = p.transfer.Describe().Name
	}
	if d.Name != "" && name != d.Name {
		return fmt.Errorf("the plugin calls itself %q", name)
	}
	return nil
}
