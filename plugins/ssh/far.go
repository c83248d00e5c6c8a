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
	timed, cancel := context.WithTimeout(ctx, f.hop.timeout)
	defer cancel()
	// An agent that does not read its input does not end with it.
	stop := context.AfterFunc(timed, conn.abandon)
	f.stream, err = process.DialStream(timed, conn, process.StreamOptions{
		Program: Version, Silence: f.hop.keepalive, Resume: f.resume,
		Peer: "the agent on " + f.hop.alias, Why: f.why,
	})
	stop()
	if err != nil {
		return nil, conn.agent.greetingError(ctx, err)
	}
	if f.driver, err = f.stream.Driver(ctx); err != nil {
		return nil, err
	}
	desc := f.driver.Describe()
	config, err := desc.Schema.WithDefaults(nil)
	if err != nil {
		return nil, &sdk.Error{Kind: sdk.KindUnsupported, Op: "open " + r.inner + " on " + f.hop.alias, Msg: err.Error()}
	}
	// The agent opens the URL that it was started with and no other.
	f.request = sdk.OpenRequest{Address: sdk.Address{Scheme: desc.Schemes[0], Rest: r.inner}, Role: req.Role, MarkKey: req.MarkKey, Config: config}
	log.Debug("connected", "address", f.hop.address(), "user", f.hop.user)
	return f, nil
}

func (f *far) use(c *connection) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.conn = c
}

// client is the connection that is in use, or was the last.
func (f *far) client() *ssh.Client {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.conn.clients[0]
}

// refused closes the connection and returns the error of an open that failed
// over there, with what the far driver has to say about its address.
func (f *far) refused(ctx context.Context, err error) error {
	defer f.close()
	var e *sdk.Error
	if !errors.As(err, &e) || e.Kind == sdk.KindGone || e.Kind == sdk.KindBusy {
		return err
	}
	for _, d := range f.driver.Check(ctx, f.request) {
		if !d.Warning {
			return &sdk.Error{Kind: e.Kind, Op: "open on " + f.hop.alias, Msg: d.Summary + " (" + strings.TrimSuffix(d.Detail, ".") + ")"}
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
		func() (*ssh.Session, error) { return f.client().NewSession() },
		func(dir string, args []string) string { return rsyncCommand(f.route, token, dir, args) },
		f.log)
	return err
}

// close ends the agent and the connection.
func (f *far) close() {
	f.once.Do(func() {
		if f.shell != nil {
			if err := f.shell.close(); err != nil {
				f.log.Warn("what rsync used is not all tidied up", "error", err)
			}
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
	})
}
