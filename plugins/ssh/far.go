package ssh

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"

	"golang.org/x/crypto/ssh"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/process"
	"github.com/gsyncd/gsyncd-host/sdk/resume"
	"github.com/gsyncd/gsyncd-host/sdk/schema"
)

// far is the other machine, as far as one resource goes: an agent there, the
// connections to it, and the driver that the agent serves.
type far struct {
	hop     *hop
	route   *route
	stream  *process.Stream
	driver  sdk.Driver
	request sdk.OpenRequest
	log     *slog.Logger
	shell   *shell // nil: rsync cannot use the connection
	once    sync.Once

	mu      sync.Mutex
	conn    *connection    // the last one that was made
	another chan struct{}  // closed when there is another
	resumed *resume.Stream // nil: the stream ends with its connection
}

// newFar connects, starts the agent and meets it.
func newFar(ctx context.Context, r *route, req sdk.OpenRequest, log *slog.Logger) (_ *far, err error) {
	f := &far{hop: r.last(), route: r, log: log}
	defer func() {
		if err != nil {
			f.close()
		}
	}()
	conn, err := newConnection(ctx, r, commandLine(r, f.hop.keepalive), log)
	if err != nil {
		return nil, err
	}
	f.use(conn)
	conn.held.Store(r.deployable())
	lacking, err := f.begin(ctx, conn)
	if lacking && r.deployable() {
		err = f.deploy(ctx, conn, err)
	}
	conn.held.Store(false)
	if err != nil {
		return nil, err
	}
	// The agent opens the URL that it was started with and no other.
	f.request = sdk.OpenRequest{Address: sdk.Address{Rest: r.inner}, Role: req.Role, MarkKey: req.MarkKey, Volume: req.Volume}
	if len(r.settings) == 0 {
		// What the driver says of itself is then of no use, and costs a round trip.
		f.driver = f.stream.Undescribed()
	} else if err := f.configure(ctx); err != nil {
		return nil, err
	}
	log.Debug("connected", "address", f.hop.address(), "user", f.hop.user)
	return f, nil
}

// configure makes of the settings what the driver over there understands.
func (f *far) configure(ctx context.Context) (err error) {
	if f.driver, err = f.stream.Driver(ctx); err != nil {
		return err
	}
	f.request.Config, err = f.driver.Describe().Schema.Parse(f.route.settings)
	if err != nil {
		return &sdk.Error{Kind: sdk.KindInput, Op: "open " + f.route.inner + " on " + f.hop.alias, Msg: "the driver there says of its settings: " + err.Error() + "; mend remote_settings"}
	}
	return nil
}

// begin meets the agent of the first connection. It reports whether that failed
// for want of a matching program.
func (f *far) begin(ctx context.Context, c *connection) (lacking bool, err error) {
	timed, cancel := context.WithTimeout(ctx, f.hop.timeout)
	defer cancel()
	// An agent that does not read its input does not end with it.
	stop := context.AfterFunc(timed, c.abandon)
	f.stream, err = process.DialStream(timed, c, process.StreamOptions{
		Program: Version, Silence: f.hop.keepalive, Resume: f.resume, Compress: f.route.compress,
		Peer: "the agent on " + f.hop.alias, Why: f.why,
	})
	stop()
	if lacking = err != nil && c.agent.lacking(err); !lacking {
		c.agent.said.release() // it is not that there is no such command
	}
	if err != nil {
		return lacking, c.agent.greetingError(ctx, err)
	}
	return false, nil
}

// deploy puts the program there and begins again with it. Where that is not
// allowed, the error is the one for which it was tried.
func (f *far) deploy(ctx context.Context, c *connection, before error) error {
	c.agent.await() // a server may allow one session at a time
	_ = c.agent.session.Close()
	r := f.route
	at, err := r.program.deploy(ctx, c.clients[0], f.hop, c.agent.link, c.abandon, f.log)
	var refused *talkError
	var e *sdk.Error
	if errors.As(err, &refused) && errors.As(before, &e) {
		return &sdk.Error{Kind: e.Kind, Op: e.Op, Msg: e.Msg + " (it could not be put there: " + refused.Error() + ")"}
	}
	if err != nil {
		return err
	}
	r.agent, r.deployed = quote(at), true
	agent, err := startAgent(ctx, c.clients[0], r, commandLine(r, f.hop.keepalive), c.agent.link, f.log)
	if err != nil {
		return err
	}
	c.agent, c.Reader = agent, agent
	_, err = f.begin(ctx, c)
	return err
}

func (f *far) use(c *connection) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.conn = c
	if f.another != nil {
		close(f.another)
	}
	f.another = make(chan struct{})
}

// session opens a session on the connection that is in use, or, if that is lost,
// on the next one, if there is one in time.
func (f *far) session(ctx context.Context) (*ssh.Session, error) {
	ctx, cancel := context.WithTimeout(ctx, resume.WindowFor(f.hop.keepalive))
	defer cancel()
	for {
		f.mu.Lock()
		client, another := f.conn.clients[0], f.another
		f.mu.Unlock()
		s, err := client.NewSession()
		var refused *ssh.OpenChannelError
		if err == nil || errors.As(err, &refused) {
			return s, err
		}
		select {
		case <-another:
		case <-ctx.Done():
			return nil, err
		}
	}
}

// open calls what opens the tree over there. Meanwhile, since each question takes
// a round trip, it asks the far driver what it thinks of that: its warnings go to
// the log, its complaints into the error. With an error the connection is closed.
func (f *far) open(ctx context.Context, open func() error) error {
	said := make(chan []schema.Diagnostic, 1)
	go func() { said <- f.driver.Check(ctx, f.request) }()
	err := open()
	if err != nil {
		defer f.close()
		var e *sdk.Error
		if !errors.As(err, &e) || e.Kind == sdk.KindGone || e.Kind == sdk.KindBusy {
			return err
		}
		return f.refused(err, e.Kind, <-said)
	}
	for _, d := range <-said {
		if d.Warning {
			f.log.Warn(d.Summary, "hint", d.Detail)
		}
	}
	return nil
}

// refused is the error of an open that failed over there, in the words of the
// far driver's complaint.
func (f *far) refused(err error, kind sdk.Kind, said []schema.Diagnostic) error {
	for _, d := range said {
		if !d.Warning {
			msg := d.Summary + " (" + strings.TrimSuffix(d.Detail, ".") + ")"
			if d.Attribute != "" {
				msg += "; mend remote_settings"
			}
			return &sdk.Error{Kind: kind, Op: "open on " + f.hop.alias, Msg: msg}
		}
	}
	return err
}

// openShell lets rsync use the connection, if the agent can be reached by what
// is started for rsync over there.
func (f *far) openShell() (err error) {
	token := f.stream.Token()
	if token == "" {
		return nil
	}
	f.shell, err = newShell(
		f.session,
		func(dir string, args []string) string { return rsyncCommand(f.route, token, dir, args) },
		f.log)
	return err
}

// close ends the agent and the connection.
func (f *far) close() {
	f.once.Do(func() {
		if f.shell != nil {
			f.shell.stop()
		}
		if f.stream != nil {
			_ = f.stream.Close()
		}
		f.mu.Lock()
		conn := f.conn
		f.mu.Unlock()
		if conn != nil {
			_ = conn.Close()
		}
		if f.shell != nil {
			if err := f.shell.close(); err != nil {
				f.log.Warn("what rsync used is not all tidied up", "error", err)
			}
		}
	})
}
