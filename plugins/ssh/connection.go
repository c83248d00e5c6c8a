package ssh

import (
	"context"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/ssh"
)

// connection is a login on the other machine with an agent at its end, whose
// input and output it is.
type connection struct {
	io.Reader
	clients []*ssh.Client // the last hop's first
	agent   *agentProcess
	held    atomic.Bool // another agent may be needed: Close ends only this one
	once    sync.Once
}

var _ io.ReadWriteCloser = (*connection)(nil)

// newConnection logs in and runs a command.
func newConnection(ctx context.Context, r *route, command string, log *slog.Logger) (*connection, error) {
	clients, l, err := connect(ctx, r.hops, log)
	if err != nil {
		return nil, err
	}
	c := &connection{clients: clients}
	go func() {
		l.watch(r.last().keepalive, func() {
			// A refusal is an answer too.
			_, _, _ = clients[0].SendRequest("keepalive@openssh.com", true, nil)
		})
		// Where the way leads through other hosts, theirs may be what hangs.
		c.abandon()
	}()
	if c.agent, err = startAgent(ctx, clients[0], r, command, l, log); err != nil {
		c.abandon()
		return nil, err
	}
	c.Reader = c.agent
	return c, nil
}

// Write implements [io.Writer].
func (c *connection) Write(p []byte) (int, error) { return c.agent.Write(p) }

// abandon hangs up without a word.
func (c *connection) abandon() { closeAll(c.clients) }

// Close implements [io.Closer]. It ends the agent's input and waits for its end,
// but not for long. It may be called concurrently; every call waits.
func (c *connection) Close() error {
	if c.held.Load() {
		return c.agent.Close()
	}
	c.once.Do(func() {
		// On a link that hangs not even the end can be said.
		stop := time.AfterFunc(exitGrace, c.abandon)
		defer stop.Stop()
		_ = c.agent.Close()
		c.agent.await()
		c.abandon()
	})
	return nil
}
