package ssh

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/process"
	"github.com/gsyncd/gsyncd-host/sdk/resume"
)

// resume makes of the first connection a stream that survives it.
func (f *far) resume(token string, rw io.ReadWriteCloser) io.ReadWriteCloser {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.resumed = resume.New(rw, resume.Options{
		Window: resume.WindowFor(f.hop.keepalive),
		Dial:   func(ctx context.Context) (io.ReadWriteCloser, error) { return f.redial(ctx, token) },
		Lost:   func(err error) { f.log.Warn("the connection was lost; trying to get it back", "error", err) },
		Back: func(after time.Duration) {
			f.log.Info("the connection is back, and goes on where it was", "after", after.Round(time.Millisecond))
		},
	})
	return f.resumed
}

// redial makes another connection to the agent's session.
func (f *far) redial(ctx context.Context, token string) (io.ReadWriteCloser, error) {
	f.mu.Lock()
	before := f.conn.agent
	f.mu.Unlock()
	if exit := before.exit(); before.gone(exit) {
		return nil, resume.Final(errors.New(before.why()))
	}
	c, err := newConnection(ctx, f.route, resumeLine(f.route, token), f.log)
	if err == nil {
		c.agent.relay = true
		err = f.meet(ctx, c, token)
	}
	switch sdk.KindOf(err) {
	case sdk.KindTransient, sdk.KindGone:
	default:
		if err != nil && ctx.Err() == nil {
			err = resume.Final(err)
		}
	}
	if err != nil {
		return nil, err
	}
	f.use(c)
	return c, nil
}

// meet waits until a connection has come to the session. With an error it is
// closed.
func (f *far) meet(ctx context.Context, c *connection, token string) error {
	timed, cancel := context.WithTimeout(ctx, f.hop.timeout)
	defer cancel()
	stop := context.AfterFunc(timed, c.abandon)
	r := bufio.NewReader(c.agent)
	found, err := process.AwaitSession(r)
	if !stop() {
		err = errors.Join(context.Cause(timed), err)
	}
	if err != nil {
		err = c.agent.greetingError(ctx, err)
	} else if found != token {
		err = &sdk.Error{Kind: sdk.KindNotExist, Op: "resume on " + f.hop.alias, Msg: "the agent has ended, or the machine was started anew"}
	}
	if err != nil {
		c.abandon()
		return err
	}
	c.Reader = r
	return nil
}

// why tells why the agent is gone.
func (f *far) why() string {
	f.mu.Lock()
	resumed, conn := f.resumed, f.conn
	f.mu.Unlock()
	if resumed != nil {
		if err := resumed.Err(); err != nil {
			return err.Error()
		}
	}
	return conn.agent.why()
}

// gone reports whether the agent is known to have ended; a server that goes down
// does not say how.
func (a *agentProcess) gone(exit error) bool {
	select {
	case <-a.ended:
	default:
		return false
	}
	var status *ssh.ExitError
	return !a.relay && (exit == nil || errors.As(exit, &status))
}

// resumeLine is the command that leads to a session.
func resumeLine(r *route, token string) string {
	return fmt.Sprintf("%s agent --resume %s", r.agent, quote(token))
}
