package process

import (
	"context"
	"log/slog"
	"os"
	"sync"
	"time"

	goplugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// StopGrace is how long Stop waits for an orderly end, at most.
const StopGrace = 3 * time.Second

// Process is a running plugin. Its methods may be called concurrently.
type Process struct {
	client   *goplugin.Client
	runner   *processRunner
	conn     *grpc.ClientConn
	timeouts Timeouts
	log      *slog.Logger
	release  sync.Once
	released chan struct{} // closed when nothing of it is left
}

// PID returns the process id.
func (p *Process) PID() int { return p.runner.pid() }

// Done is closed when the process has ended, for whatever reason.
func (p *Process) Done() <-chan struct{} { return p.runner.done }

// Err says how the process ended: nil before its end and after an orderly one.
func (p *Process) Err() error {
	select {
	case <-p.runner.done:
		return p.runner.Wait(context.Background())
	default:
		return nil
	}
}

// Driver returns the driver that the plugin serves. It is usable until the
// plugin ends; calls then fail with sdk.KindGone.
func (p *Process) Driver(ctx context.Context) (sdk.Driver, error) {
	return Driver(ctx, p.conn, p.options()...)
}

// Transfer returns the transfer method that the plugin serves, like Driver.
func (p *Process) Transfer(ctx context.Context) (sdk.Transfer, error) {
	return Transfer(ctx, p.conn, p.options()...)
}

func (p *Process) options() []Option {
	return []Option{WithTimeouts(p.timeouts), WithHung(func(err error) {
		// Nothing is known about its state, and it may hold locks.
		p.log.Error("plugin does not answer, killed", "pid", p.PID(), "error", err)
		p.runner.kill()
	})}
}

// Stop ends the plugin: it is asked first and, when ctx ends or StopGrace is
// over, killed. It returns when nothing of the plugin is left: no process of
// its group, no socket. It may be called more than once.
func (p *Process) Stop(ctx context.Context) {
	go p.free()
	select {
	case <-p.released:
		return
	case <-ctx.Done():
	case <-time.After(StopGrace):
	}
	p.runner.kill()
	<-p.released
}

// Kill ends the plugin without asking, and returns when nothing of it is left.
func (p *Process) Kill() {
	// The process first: asking a stopped one to end would take for ever.
	p.runner.kill()
	p.free()
	<-p.released
}

// reap frees what belongs to the plugin when it has ended.
func (p *Process) reap() {
	<-p.runner.done
	p.free()
}

func (p *Process) free() {
	p.release.Do(func() {
		p.client.Kill()
		_ = os.RemoveAll(p.runner.dir)
		close(p.released)
	})
}
